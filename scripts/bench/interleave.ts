/** Times the variants of one model side by side in one process, so that a noisy machine slows all alike. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { GradientCollectorCallback, prepareForGradientCollection } from '../../callbacks';
import { applyHostFixes } from '../../lib/host-fixes';
import { disposeBenchModel, type BenchModel, type BenchModelFactory, type OptimizerName } from './models';
import type { Schedule } from './schedule';
import { spread, type Spread } from './statistics';
import { Turns, type Player } from './turns';
import { BASELINE, type Variant } from './variants';
import { verifyGradients } from './verification';

/** What one variant of one model measured. Times are of a training step, in milliseconds. */
export interface Measurement {
  readonly model: string;
  readonly variant: string;
  readonly parameters: number;
  readonly batchSize: number;
  readonly step: Spread;
  /** Step time over the baseline's in the same round of turns; null where the baseline did not run. */
  readonly ratio: Spread | null;
  /** Rows of gradient store written per second of training; null where none are written. */
  readonly rowsPerSecond: number | null;
  /** Milliseconds that ending the epoch and the run took: checksums, norms, the saved model. */
  readonly ending: number;
}

/** Losses of variants that compute the same thing drift apart by rounding alone, over one epoch of training. */
const SAME_LOSS = 1e-2;

/** One variant in training. */
class Lane implements Player {
  /** Of each turn. */
  readonly milliseconds: number[] = [];
  ending = 0;
  loss = NaN;

  constructor(
    readonly variant: Variant,
    readonly bench: BenchModel,
  ) {}

  enter(): () => void {
    return this.variant.hostFixes ? applyHostFixes() : () => undefined;
  }

  onTurn(milliseconds: number): void {
    this.milliseconds.push(milliseconds);
  }

  async train(turns: Turns, directory: string): Promise<void> {
    const { model, xs, ys, batchSize } = this.bench;
    const { collect, name } = this.variant;
    const callbacks: tf.Callback[] = [turns.callback(this)];
    if (collect !== undefined) {
      prepareForGradientCollection(model);
      callbacks.push(new GradientCollectorCallback({ ...collect, path: path.join(directory, name) }));
    }
    const inputs = xs.length === 1 && xs[0] !== undefined ? xs[0] : xs;
    const history = await model.fit(inputs, ys, { batchSize, callbacks, shuffle: false, verbose: 0 });
    this.ending = turns.leave(this);
    this.loss = Number(history.history.loss?.[0]);
  }
}

/**
 * Trains one copy of the model a variant, all from the same weights on the same batches in the same order, in turns
 * of some steps each.
 * @throws Error when a variant's gradients are not tfjs's own, or its loss is not the first variant's.
 */
export async function interleave(
  factory: BenchModelFactory,
  variants: readonly Variant[],
  { stepsATurn, warmUp, steps }: Schedule,
  optimizer: OptimizerName,
): Promise<Measurement[]> {
  const undo = applyHostFixes();
  for (const { collect, crossEntropy } of variants) {
    if (collect !== undefined && !collect.useOptimizerState)
      verifyGradients(factory({ batches: 1, crossEntropy }));
  }
  undo();
  const untimed = Math.ceil(warmUp / stepsATurn);
  const batches = (untimed + Math.ceil(steps / stepsATurn)) * stepsATurn;
  const lanes = variants.map((variant) => {
    return new Lane(variant, factory({ batches, crossEntropy: variant.crossEntropy, optimizer }));
  });
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'bergson-bench-'));
  const turns = new Turns(lanes, stepsATurn);
  const finished = lanes.map(async (lane) => {
    await lane.train(turns, directory);
  });
  await Promise.all(finished);
  fs.rmSync(directory, { recursive: true });
  checkLosses(lanes);
  const baseline = lanes.find(({ variant }) => variant.name === BASELINE);
  const measurements = lanes.map((lane) => {
    const timesOf = ({ milliseconds }: Lane) => milliseconds.slice(untimed).map((time) => time / stepsATurn);
    return measurement(lane, timesOf(lane), baseline && timesOf(baseline));
  });
  for (const { bench } of lanes) disposeBenchModel(bench);
  return measurements;
}

function checkLosses(lanes: readonly Lane[]): void {
  const [first] = lanes;
  for (const { variant, bench, loss } of lanes) {
    if (first === undefined || Math.abs(loss - first.loss) <= SAME_LOSS * Math.abs(first.loss)) continue;
    throw new Error(
      `${bench.name}: ${variant.name} has loss ${loss} where ${first.variant.name} has ${first.loss}`,
    );
  }
}

function measurement(
  { variant, bench, ending }: Lane,
  times: readonly number[],
  baseline: readonly number[] | undefined,
): Measurement {
  const ratios = baseline?.map((time, turn) => (times[turn] ?? NaN) / time);
  const step = spread(times);
  return {
    model: bench.name,
    variant: variant.name,
    parameters: bench.model.countParams(),
    batchSize: bench.batchSize,
    step,
    ratio: ratios === undefined ? null : spread(ratios),
    rowsPerSecond: variant.collect === undefined ? null : (1000 * bench.batchSize) / step.median,
    ending,
  };
}
