/**
 * `npm run bench:memory`: the tensors that a training step holds at most, beside model, optimizer and data. What
 * collecting adds must follow from the batch: on eight times the data it must be the same, and the exit code says so.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import Table from 'cli-table3';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { GradientCollectorCallback, prepareForGradientCollection } from '../../callbacks';
import { loadBackend } from '../../lib/backend';
import { applyHostFixes } from '../../lib/host-fixes';
import { disposeBenchModel, modelNamed, MODELS } from './models';
import { BASELINE, VARIANTS, type Variant } from './variants';

/** Batches of the two data sets. */
const [FEW, MANY] = [3, 24];

async function main(): Promise<void> {
  const { models } = await yargs(hideBin(process.argv))
    .usage('$0 compares what training holds in tensors on a small and on a large data set')
    .option('models', {
      type: 'string',
      array: true,
      choices: Object.keys(MODELS),
      default: Object.keys(MODELS),
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
  for (const model of models) {
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
  console.log(table.toString());
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

/** Looks at how many bytes are in tensors after each operation of the TensorFlow backend. */
class PeakWatch {
  /** The most bytes seen beside those at the start. */
  peak = 0;
  private readonly backend = tf.backend() as unknown as Executor;

  start(): void {
    const base = tf.memory().numBytes;
    for (const name of ['executeSingleOutput', 'executeMultipleOutputs'] as const) {
      const execute = this.backend[name];
      if (execute === undefined) throw new Error('only the `tensorflow` backend can be watched');
      this.backend[name] = (...operation) => {
        const outputs = execute.apply(this.backend, operation);
        this.peak = Math.max(this.peak, tf.memory().numBytes - base);
        return outputs;
      };
    }
  }

  stop(): void {
    // What `start` put on the instance hides the class's own.
    delete this.backend.executeSingleOutput;
    delete this.backend.executeMultipleOutputs;
  }
}

type Execute = (...operation: unknown[]) => unknown;
interface Executor {
  executeSingleOutput?: Execute;
  executeMultipleOutputs?: Execute;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
