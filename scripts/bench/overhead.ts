/** `npm run bench:overhead`: what a training step costs, variant by variant. */
import Table from 'cli-table3';
import { cpus } from 'node:os';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { describeBackend, loadBackend, type BackendDescription } from '../../lib/backend';
import { multiplyExactly } from './exact-products';
import { interleave, type Measurement } from './interleave';
import { modelNamed, MODELS, OPTIMIZER_NAMES } from './models';
import { ownPeak, peakAlone } from './peak-memory';
import type { Spread } from './statistics';
import { BASELINE, VARIANTS } from './variants';

/** What `--json` prints. */
interface Report {
  readonly machine: { readonly processor: string; readonly cores: number; readonly platform: string };
  readonly backend: BackendDescription;
  readonly measurements: readonly (Measurement & { readonly peakMegabytes: number })[];
}

async function main(): Promise<void> {
  const { models, variants, optimizer, steps, warmUp, json } = await yargs(hideBin(process.argv))
    .usage('$0 times training steps, with and without what this project adds to them')
    .option('models', {
      type: 'string',
      array: true,
      choices: Object.keys(MODELS),
      default: Object.keys(MODELS),
    })
    .option('variants', {
      type: 'string',
      array: true,
      choices: VARIANTS.map(({ name }) => name),
      default: VARIANTS.map(({ name }) => name),
      describe: VARIANTS.map(({ name, description }) => `${name}: ${description}`).join('; '),
    })
    .option('optimizer', {
      choices: OPTIMIZER_NAMES,
      default: 'adam' as const,
      describe: 'What trains the models',
    })
    .option('steps', {
      type: 'number',
      describe: 'Timed steps for each variant (default: from 960 to 64, by model)',
    })
    .option('warm-up', {
      type: 'number',
      describe: 'Steps for each variant before those (default: from 1,024 to 16, by model)',
    })
    .option('json', { type: 'boolean', default: false, describe: 'Print the report as JSON' })
    .strict()
    .parse();
  multiplyExactly();
  await loadBackend();
  const chosen = VARIANTS.filter(({ name }) => variants.includes(name));
  const measurements: (Measurement & { peakMegabytes: number })[] = [];
  for (const name of models) {
    const { factory, schedule: usual } = modelNamed(name);
    const schedule = { ...usual, steps: steps ?? usual.steps, warmUp: warmUp ?? usual.warmUp };
    for (const measured of await interleave(factory, chosen, schedule, optimizer)) {
      const alone = chosen.length === 1 && models.length === 1;
      const peakMegabytes = alone ? ownPeak() : peakAlone(measured.model, measured.variant);
      measurements.push({ ...measured, peakMegabytes });
    }
  }
  const report: Report = { machine: machine(), backend: describeBackend(), measurements };
  console.log(json ? JSON.stringify(report, undefined, 2) : format(report));
}

function machine(): Report['machine'] {
  const processors = cpus();
  return {
    processor: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    platform: `${process.platform} ${process.arch}`,
  };
}

function format({ machine, backend, measurements }: Report): string {
  const { versions } = backend;
  const table = new Table({
    head: [
      'model',
      'variant',
      'step, ms',
      'quartiles',
      `ratio to ${BASELINE}`,
      'quartiles',
      'rows/s',
      'ending, ms',
      'peak MB',
    ],
    style: { head: [], border: [] },
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
  });
  for (const { model, variant, step, ratio, rowsPerSecond, ending, peakMegabytes } of measurements) {
    table.push([
      model,
      variant,
      step.median.toFixed(1),
      quartiles(step, 1),
      ratio === null ? '' : ratio.median.toFixed(3),
      ratio === null ? '' : quartiles(ratio, 3),
      rowsPerSecond === null ? '' : rowsPerSecond.toFixed(0),
      ending.toFixed(0),
      peakMegabytes.toFixed(0),
    ]);
  }
  return [
    `${machine.processor}, ${machine.cores} cores, ${machine.platform}; ${backend.backend} backend on the ${backend.device}, ${backend.threads} threads`,
    `Node ${versions.node}, tfjs ${versions.tfjs}, TensorFlow ${versions.tensorflow ?? '(none)'}; steps in turns`,
    table.toString(),
  ].join('\n');
}

function quartiles({ lowerQuartile, upperQuartile }: Spread, digits: number): string {
  return `${lowerQuartile.toFixed(digits)} to ${upperQuartile.toFixed(digits)}`;
}

void main();
