/** Times the variants of one model side by side in one process, so that a noisy machine slows all alike. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type * as tf from '@tensorflow/tfjs';
import { GradientCollectorCallback, prepareForGradientCollection } from '../../callbacks';
import { applyHostFixes } from '../../lib/host-fixes';
import { disposeBenchModel, type BenchModel, type BenchModelFactory, type OptimizerName } from './models';
import { spread, type Spread } from './statistics';
import { STEPS_A_TURN, Turns, type Player } from './turns';
import { BASELINE, type Variant } from './variants';
import { verifyGradients } from './verification';

export interface InterleaveOptions {
  /** Timed steps of each variant, of which there are whole turns. */
  readonly steps: number;
  readonly optimizer: OptimizerName;
}

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

/** Turns before timing starts: first calls compile, allocate and draw projections. */
const WARM_UP = 1;

/** Losses of variants that compute the same thing drift apart by rounding alone, over one epoch of training. */
const SAME_LOSS = 1e-2;

/** One variant in training. */
class Lane implements Player {
  /** Of a step, on average over each turn. */
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
    this.milliseconds.push(milliseconds / STEPS_A_TURN);
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
  { steps, optimizer }: InterleaveOptions,
): Promise<Measurement[]> {
  const undo = applyHostFixes();
  for (const { collect, crossEntropy } of variants) {
    if (collect !== undefined && !collect.useOptimizerState)
      verifyGradients(factory({ batches: 1, crossEntropy }));
  }
  undo();
  const batches = (WARM_UP + Math.ceil(steps / STEPS_A_TURN)) * STEPS_A_TURN;
  const lanes = variants.map((variant) => {
    return new Lane(variant, factory({ batches, crossEntropy: variant.crossEntropy, optimizer }));
  });
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'bergson-bench-'));
  const turns = new Turns(lanes);
  const finished = lanes.map(async (lane) => {
    await lane.train(turns, directory);
  });
  await Promise.all(finished);
  fs.rmSync(directory, { recursive: true });
  checkLosses(lanes);
  const baseline = lanes.find(({ variant }) => variant.name === BASELINE);
  const measurements = lanes.map((lane) => measurement(lane, baseline));
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
  { variant, bench, milliseconds, ending }: Lane,
  baseline: Lane | undefined,
): Measurement {
  const timed = milliseconds.slice(WARM_UP);
  const ratios = baseline?.milliseconds.slice(WARM_UP).map((time, turn) => (timed[turn] ?? NaN) / time);
  const step = spread(timed);
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
