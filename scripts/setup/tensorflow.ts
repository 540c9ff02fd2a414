/** Brings the `tensorflow` backend to work: the steps, in order, and what to say where one cannot be done. */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './errors';
import { bindingFile, buildBinding, linkedTo } from './binding';
import type { Outcome } from './outcome';
import { BINDING_PACKAGES, packageDirectory, wantedVersion } from './packages';
import { probeBinding } from './probe';
import { type Report, step } from './progress';
import { TENSORFLOW_VERSION, installedGpuWheel, unpackedWheel, wheelFor } from './tensorflow-wheel';
import { findCompiler, findNodeHeaders, findPython } from './toolchain';

export interface TensorflowOptions {
  /** Link the build with CUDA. */
  readonly gpu?: boolean | undefined;
  /** Link this installed `tensorflow` package. */
  readonly wheel?: string | undefined;
}

const INSTEAD = 'The wasm backend serves instead, several times slower.';

/**
 * Makes the `tensorflow` backend work, or says why it cannot and how to mend that.
 *
 * @param directories of the tfjs-node packages to use, the best first; those installed by default.
 * @throws SetupError when `gpu` or `wheel` asks for something that cannot be done.
 */
export async function setUpTensorflow(
  options: TensorflowOptions,
  report: Report,
  env: NodeJS.ProcessEnv = process.env,
  directories = BINDING_PACKAGES.flatMap((name) => packageDirectory(name) ?? []),
): Promise<Outcome> {
  const asked = options.gpu === true || options.wheel !== undefined;
  if (!asked) {
    for (const directory of directories) {
      const probe = await probeBinding(directory);
      if (typeof probe !== 'string') return ready(directory, `TensorFlow ${probe.tensorflow} works`);
    }
  }
  try {
    return await link(options, report, env, directories[0]);
  } catch (error) {
    if (asked || !(error instanceof SetupError)) throw error;
    return { part: 'tensorflow', ready: false, detail: `${error.message}. ${INSTEAD}`, files: [] };
  }
}

async function link(
  options: TensorflowOptions,
  report: Report,
  env: NodeJS.ProcessEnv,
  directory: string | undefined,
): Promise<Outcome> {
  const name = BINDING_PACKAGES[0];
  if (directory === undefined) {
    const mend = `npm install --ignore-scripts ${name}@${wantedVersion(name)}`;
    throw new SetupError(
      'set up TensorFlow',
      `${name} is not installed; run \`${mend}\`, then \`bergson setup\``,
    );
  }
  const { compiler, headers } = await findTools(env);
  const tensorflow = await findTensorflow(options, report, env);
  if (linkedTo(directory) !== realpathSync(tensorflow)) {
    await step(
      report,
      'compiling the TensorFlow binding',
      () => 'compiled the TensorFlow binding',
      () => buildBinding(directory, tensorflow, { compiler, headers }),
    );
  }
  const probe = await probeBinding(directory);
  if (typeof probe === 'string') throw new SetupError('use the TensorFlow binding', probe);
  if (options.gpu === true && !probe.gpu) {
    report('TensorFlow was built with CUDA but sees no GPU here: check that `nvidia-smi` lists one');
  }
  return ready(directory, `TensorFlow ${probe.tensorflow} works on the ${probe.gpu ? 'GPU' : 'CPU'}`);
}

async function findTools(env: NodeJS.ProcessEnv): Promise<{ compiler: string; headers: string }> {
  const compiler = await findCompiler(env);
  if (compiler === undefined) throw missing('C++ compiler', 'g++, clang++ or $CXX');
  const headers = await findNodeHeaders(env);
  if (headers === undefined)
    throw missing(`headers of Node ${process.versions.node}`, 'include/node, $npm_config_nodedir');
  return { compiler, headers };
}

async function findTensorflow(
  { gpu = false, wheel: given }: TensorflowOptions,
  report: Report,
  env: NodeJS.ProcessEnv,
): Promise<string> {
  if (given !== undefined) {
    if (!existsSync(given))
      throw new SetupError(`link TensorFlow from ${given}`, 'there is no such directory');
    return given;
  }
  const wheel = wheelFor(gpu);
  if (wheel === undefined) {
    const here = `${process.platform} ${process.arch}`;
    throw new SetupError(
      'set up TensorFlow',
      `TensorFlow has no libraries for ${here}${gpu ? ' with CUDA' : ''}`,
    );
  }
  const python = await findPython(env);
  if (python === undefined) throw missing('Python 3 with pip', 'python3 or $PYTHON');
  const size = `${wheel.distribution} ${TENSORFLOW_VERSION}, ${wheel.megabytes} MB${gpu ? ' and CUDA' : ''}`;
  return step(
    report,
    `downloading ${size}, once per machine`,
    (directory) => `TensorFlow's libraries are in ${directory}`,
    () => (gpu ? installedGpuWheel : unpackedWheel)(wheel, python),
  );
}

function missing(what: string, where: string): SetupError {
  return new SetupError(
    'set up TensorFlow',
    `no ${what} found (looked for ${where}); install it, then \`bergson setup\``,
  );
}

function ready(directory: string, detail: string): Outcome {
  const linked = linkedTo(directory);
  const libraries =
    linked === undefined ? [] : readdirSync(linked).filter((name) => name.startsWith('libtensorflow'));
  const files = [bindingFile(directory), ...libraries.map((name) => join(linked ?? '', name))];
  return { part: 'tensorflow', ready: true, detail, files: files.filter((file) => existsSync(file)) };
}
