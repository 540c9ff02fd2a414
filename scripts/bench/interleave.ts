/** Times the variants of one model side by side in one process, so that a noisy machine slows all alike. */
import { disposeBenchModel, type BenchModel, type BenchModelFactory } from './models';
import { spread, type Spread } from './statistics';
import { BASELINE, type Variant } from './variants';

export interface InterleaveOptions {
  /** Batches in each timed call of `fit`. */
  readonly batches: number;
  /** Timed calls of `fit` for each variant, after one that is not timed. */
  readonly repeats: number;
}

/** What one variant of one model measured. Times are of a training step, in milliseconds. */
export interface Measurement {
  readonly model: string;
  readonly variant: string;
  readonly parameters: number;
  readonly batchSize: number;
  readonly step: Spread;
  /** Step time over the baseline's in the same repeat; null where the baseline did not run. */
  readonly ratio: Spread | null;
  /** Rows of gradient store written per second of training; null where none are written. */
  readonly rowsPerSecond: number | null;
}

/** Losses of variants that compute the same thing drift apart by rounding alone, over one epoch of training. */
const SAME_LOSS = 1e-2;

interface Lane {
  readonly variant: Variant;
  readonly bench: BenchModel;
  readonly milliseconds: number[];
  rows: number;
}

/**
 * Trains one copy of the model a variant, all from the same weights on the same batches in the same order, in turns
 * of one `fit` each; every turn begins with another variant.
 *
 * @throws Error when a variant's own check fails, or its loss is not the first variant's.
 */
export async function interleave(
  factory: BenchModelFactory,
  variants: readonly Variant[],
  { batches, repeats }: InterleaveOptions,
): Promise<Measurement[]> {
  const lanes: Lane[] = [];
  for (const variant of variants) {
    const options = { batches, crossEntropy: variant.crossEntropy };
    if (variant.verify !== undefined) {
      const bench = factory(options);
      await variant.verify(bench);
      disposeBenchModel(bench);
    }
    lanes.push({ variant, bench: factory(options), milliseconds: [], rows: 0 });
  }
  await warmUp(lanes);
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (let turn = 0; turn < lanes.length; turn++) {
      const lane = lanes[(repeat + turn) % lanes.length];
      if (lane === undefined) continue;
      const { milliseconds, rows } = await fit(lane);
      lane.milliseconds.push(milliseconds / batches);
      lane.rows += rows;
    }
  }
  const baseline = lanes.find(({ variant }) => variant.name === BASELINE);
  const measurements = lanes.map((lane) => measurement(lane, baseline, batches));
  for (const { bench } of lanes) disposeBenchModel(bench);
  return measurements;
}

/** One `fit` each, and the check that all of them trained the same model. */
async function warmUp(lanes: readonly Lane[]): Promise<void> {
  const losses: number[] = [];
  for (const lane of lanes) losses.push((await fit(lane)).loss);
  lanes.forEach(({ variant, bench }, i) => {
    const [loss, expected] = [losses[i] ?? NaN, losses[0] ?? NaN];
    if (Math.abs(loss - expected) <= SAME_LOSS * Math.abs(expected)) return;
    throw new Error(
      `${bench.name}: ${variant.name} reaches loss ${loss} where ${lanes[0]?.variant.name ?? ''} reaches ${expected}`,
    );
  });
}

async function fit({ variant, bench }: Lane) {
  const { model, xs, ys, batchSize } = bench;
  const prepared = await variant.prepare(bench);
  const start = performance.now();
  const history = await model.fit(xs.length === 1 && xs[0] !== undefined ? xs[0] : xs, ys, {
    batchSize,
    callbacks: prepared.callbacks,
    shuffle: false,
    verbose: 0,
  });
  const milliseconds = performance.now() - start;
  const rows = prepared.rows?.() ?? 0;
  await prepared.undo();
  return { milliseconds, rows, loss: Number(history.history.loss?.[0]) };
}

function measurement(lane: Lane, baseline: Lane | undefined, batches: number): Measurement {
  const { variant, bench, milliseconds, rows } = lane;
  const ratios = baseline?.milliseconds.map((time, repeat) => (milliseconds[repeat] ?? NaN) / time);
  const seconds = milliseconds.reduce((sum, step) => sum + (step * batches) / 1000, 0);
  return {
    model: bench.name,
    variant: variant.name,
    parameters: bench.model.countParams(),
    batchSize: bench.batchSize,
    step: spread(milliseconds),
    ratio: ratios === undefined ? null : spread(ratios),
    rowsPerSecond: rows === 0 ? null : rows / seconds,
  };
}
