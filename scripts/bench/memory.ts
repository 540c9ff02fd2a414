/**
 * `npm run bench:memory`: the tensors that a training step holds at most, beside model, optimizer and data. What
 * collecting adds must follow from the batch: on eight times the data it must be the same, and the exit code says so. And what
 * fitting a normalizer holds, at two widths.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import Table from 'cli-table3';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { GradientCollectorCallback, prepareForGradientCollection } from '../../callbacks';
import { loadBackend } from '../../lib/backend';
import { applyHostFixes } from '../../lib/host-fixes';
import { fittingMemory } from './fitting';
import { disposeBenchModel, modelNamed, MODELS } from './models';
import { PeakWatch } from './peak-watch';
import { BASELINE, VARIANTS, type Variant } from './variants';

/** Batches of the two data sets. */
const [FEW, MANY] = [3, 24];

/** Widths of the maps that normalizers are fitted to. */
const [NARROW, WIDE] = [1024, 4096];

async function main(): Promise<void> {
  const { models, training } = await yargs(hideBin(process.argv))
    .usage('$0 compares what training holds in tensors on a small and on a large data set')
    .option('models', {
      type: 'string',
      array: true,
      choices: Object.keys(MODELS),
      default: Object.keys(MODELS),
    })
    .option('training', {
      type: 'boolean',
      default: true,
      describe: 'Whether to train; otherwise normalizers are fitted only',
    })
    .strict()
    .parse();
  await loadBackend('tensorflow');
  const undo = applyHostFixes();
  const table = new Table({
    head: ['model', 'variant', `${FEW} batches, MB`, `${MANY} batches, MB`, 'added, MB'],
    style: { head: [], border: [] },
    colAligns: ['left', 'left', 'right', 'right', 'right'],
  });
  for (const model of training ? models : []) {
    let baseline = NaN;
    for (const variant of VARIANTS.filter(({ hostFixes }) => hostFixes)) {
      const few = await peakTensors(model, variant, FEW);
      const many = await peakTensors(model, variant, MANY);
      if (variant.name === BASELINE) baseline = many;
      table.push([model, variant.name, megabytes(few), megabytes(many), megabytes(many - baseline)]);
      if (few === many) continue;
      console.error(`${model}, ${variant.name}: ${few} bytes on ${FEW} batches, ${many} on ${MANY}`);
      process.exitCode = 1;
    }
  }
  undo();
  if (training) console.log(table.toString());
  console.log(await tabulateFitting());
}

/** What Adafactor's means add must grow as the batch does, by the width, and not as weights do; the exit code says so. */
async function tabulateFitting(): Promise<string> {
  const table = new Table({
    head: ['normalizer', 'width', 'weights, MB', 'pass, MB', 'fitting adds, MB'],
    style: { head: [], border: [] },
    colAligns: ['left', 'right', 'right', 'right', 'right'],
  });
  for (const kind of ['adafactor', 'adam'] as const) {
    const additions: number[] = [];
    for (const width of [NARROW, WIDE]) {
      const { weights, pass, added } = await fittingMemory(width, kind);
      additions.push(added);
      table.push([kind, width, megabytes(weights), megabytes(pass), megabytes(added)]);
    }
    const [narrow = NaN, wide = NaN] = additions;
    if (kind !== 'adafactor' || wide <= (WIDE / NARROW) * narrow) continue;
    console.error(`${kind} adds ${narrow} bytes at width ${NARROW}, ${wide} at ${WIDE}`);
    process.exitCode = 1;
  }
  return table.toString();
}

/** The most bytes in tensors during an epoch of training, beside those before its first step. */
async function peakTensors(name: string, variant: Variant, batches: number): Promise<number> {
  const bench = modelNamed(name).factory({ batches, crossEntropy: variant.crossEntropy });
  const { model, xs, ys, batchSize } = bench;
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'bergson-bench-'));
  const callbacks: tf.Callback[] = [];
  if (variant.collect !== undefined) {
    prepareForGradientCollection(model);
    callbacks.push(new GradientCollectorCallback({ ...variant.collect, path: path.join(directory, 'run') }));
  }
  const inputs = xs.length === 1 && xs[0] !== undefined ? xs[0] : xs;
  const watch = new PeakWatch();
  callbacks.push(new AfterFirstStep(watch));
  await model.fit(inputs, ys, { batchSize, callbacks, shuffle: false, verbose: 0 });
  watch.stop();
  fs.rmSync(directory, { recursive: true });
  disposeBenchModel(bench);
  return watch.peak;
}

/** The first step makes the optimizer's state and draws the projection; what is there after it is there to stay. */
class AfterFirstStep extends tf.Callback {
  constructor(private readonly watch: PeakWatch) {
    super();
  }

  override onBatchEnd(step: number): Promise<void> {
    if (step === 0) this.watch.start();
    return Promise.resolve();
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
