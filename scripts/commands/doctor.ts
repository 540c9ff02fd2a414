/** `bergson doctor`: what runs, what does not, and how to mend that; of a run, what it holds and what it covers. */
import tf = require('@tensorflow/tfjs');
import type { CommandModule } from 'yargs';
import { type BackendDescription, describeBackend, loadBackend } from '../../lib/backend';
import { Attributor } from '../../lib/attributor';
import { Run } from '../../lib/run/run';
import { checkRun, writeRunCheck } from '../../lib/verification/run-check';
import { nativeAddon, nativeDevice } from '../../kernels/native';
import { diagnoseRun } from '../doctor/run-diagnosis';
import { describeRun } from '../doctor/run-report';
import { readInputs } from '../query/inputs';
import { loadSavedModel } from '../query/saved-model';
import { toBatches } from '../query/tensors';
import { hnswlibBuiltFor, instructionSet } from '../setup/hnswlib';
import { HNSWLIB_PACKAGE, packageDirectory } from '../setup/packages';
import { probeHnswlib } from '../setup/probe';
import { colors } from '../terminal/colors';

/** What `bergson doctor --json` prints. */
interface Diagnosis {
  readonly backend: BackendDescription;
  readonly projection: Finding;
  readonly hnswlib: Finding;
}

interface Finding {
  readonly ok: boolean;
  readonly detail: string;
  readonly mend: string | null;
}

interface DoctorArguments {
  run?: string;
  examples?: string;
  json?: boolean;
}

export const doctorCommand: CommandModule<object, DoctorArguments> = {
  command: 'doctor [run]',
  describe: 'Say which backend and native parts are in use, and how to mend what is not; or what a run holds',
  builder: (yargs) =>
    yargs
      .positional('run', {
        type: 'string',
        describe: 'Directory of a run: say what it holds, and how much of its model it attributes',
      })
      .option('examples', {
        type: 'string',
        requiresArg: true,
        describe: `File of training examples {"x", "y"}: check the gradients of the first ${CHECKED_EXAMPLES}, and keep that with the run`,
      })
      .option('json', { type: 'boolean', describe: 'Print the diagnosis as JSON' })
      .check(
        ({ run, examples }) =>
          run !== undefined || examples === undefined || '--examples are of a run: name its directory.',
      )
      .example('$0 doctor', 'See what this machine runs on')
      .example('BERGSON_BACKEND=wasm $0 doctor', 'See whether the wasm backend loads')
      .example('$0 doctor runs/demo', 'See whether all of the model is attributed')
      .example('$0 doctor runs/demo --examples runs/demo-examples.jsonl', 'Check its gradients, too'),
  handler: async ({ run, examples, json }) => {
    if (run !== undefined) {
      if (examples !== undefined) await checkExamples(run, examples);
      examineRun(Run.open(run), json === true);
      return;
    }
    await loadBackend();
    const diagnosis: Diagnosis = {
      backend: describeBackend(),
      projection: examineProjection(),
      hnswlib: await examineHnswlib(),
    };
    console.log(json === true ? JSON.stringify(diagnosis, undefined, 2) : format(diagnosis));
  },
};

/** Finite differences take some passes for each layer, and a few examples show what many would. */
const CHECKED_EXAMPLES = 4;

/** Checks the gradients of a few examples in `file`, and keeps the outcome with the run. */
async function checkExamples(run: string, file: string): Promise<void> {
  const inputs = readInputs(file).slice(0, CHECKED_EXAMPLES);
  const attributor = await Attributor.open(run, { engine: 'exact' });
  try {
    await loadBackend();
    const compiled = await loadSavedModel(attributor.run);
    const batch = toBatches(compiled, inputs);
    writeRunCheck(run, await checkRun(attributor, compiled.model, batch));
    tf.dispose([batch.xs, batch.ys]);
  } finally {
    await attributor.close();
  }
}

function examineRun(run: Run, json: boolean): void {
  const diagnosis = diagnoseRun(run);
  console.log(json ? JSON.stringify(diagnosis, undefined, 2) : describeRun(diagnosis, run.describe()));
}

function examineProjection(): Finding {
  const addon = nativeAddon();
  if (typeof addon !== 'string') return { ok: true, detail: `native (${nativeDevice(addon)})`, mend: null };
  const mend = tf.getBackend() === 'tensorflow' ? 'bergson setup' : null;
  return { ok: mend === null, detail: `plain operations, with the same results: ${addon}`, mend };
}

async function examineHnswlib(): Promise<Finding> {
  const directory = packageDirectory(HNSWLIB_PACKAGE);
  const install = `npm install --ignore-scripts ${HNSWLIB_PACKAGE}, then bergson setup`;
  if (directory === undefined)
    return { ok: false, detail: 'not installed; exact search serves', mend: install };
  const broken = await probeHnswlib(directory);
  if (broken !== undefined) {
    return { ok: false, detail: `does not load (${broken}); exact search serves`, mend: 'bergson setup' };
  }
  const set = hnswlibBuiltFor(directory);
  const slow = set !== instructionSet();
  const detail = `loads, ${set === undefined ? 'built without processor-specific instructions' : `built for ${set}`}`;
  return { ok: true, detail, mend: slow ? 'bergson setup (makes it faster)' : null };
}

function format({ backend, projection, hnswlib }: Diagnosis): string {
  const { versions, threads, device, products } = backend;
  const provider = backend.package === null ? '' : ` from ${backend.package}`;
  const lines = [
    ok('backend', `${backend.backend}${provider} (${backend.reason})`),
    ...backend.passedOver.map((other) => missing('', `${other.backend}: ${other.reason}`)),
    ...(backend.passedOver.some((other) => other.failed) ? [hint('bergson setup')] : []),
    ok('device', `${device.toUpperCase()}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`),
    ...(products === 'float32' ? [] : describeFinding('products', REDUCED)),
    ok('versions', describeVersions(versions)),
    ...describeFinding('projection', projection),
    ...describeFinding('hnswlib', hnswlib),
  ];
  return lines.join('\n');
}

const REDUCED: Finding = {
  ok: false,
  detail: 'in TF32: gradients are right to about 1e-3, not to the 1e-5 of float32',
  mend: 'set NVIDIA_TF32_OVERRIDE=0 (slower)',
};

function describeVersions({ node, tfjs, tensorflow }: BackendDescription['versions']): string {
  const native = tensorflow === null ? [] : [`TensorFlow ${tensorflow}`];
  return [`Node ${node}`, `TensorFlow.js ${tfjs}`, ...native].join(', ');
}

function describeFinding(name: string, { ok: good, detail, mend }: Finding): string[] {
  return [(good ? ok : missing)(name, detail), ...(mend === null ? [] : [hint(mend)])];
}

const NAME_WIDTH = 12;

function ok(name: string, detail: string): string {
  return `${colors.green('✓')} ${colors.bold(name.padEnd(NAME_WIDTH))}${detail}`;
}

function missing(name: string, detail: string): string {
  return `${colors.yellow('–')} ${colors.bold(name.padEnd(NAME_WIDTH))}${detail}`;
}

function hint(mend: string): string {
  return `${' '.repeat(NAME_WIDTH + 2)}${colors.cyan(`mend: ${mend}`)}`;
}
