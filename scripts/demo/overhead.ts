/** What collecting costs: the same training steps with and without, by turns. */
import tf = require('@tensorflow/tfjs');
import { rmSync } from 'node:fs';
import { GradientCollectorCallback, prepareForGradientCollection } from '../../callbacks';
import type { RunOptions } from '../../lib/run/run-recorder';
import { spread, type Spread } from '../bench/statistics';
import type { Tensors } from './digits';
import { buildNetwork } from './network';

export interface Overhead {
  /** Training steps of each timing. */
  readonly steps: number;
  readonly repeats: number;
  /** Milliseconds of a step without collecting. */
  readonly plain: Spread;
  /** Time with collecting over time without, of neighbouring timings. */
  readonly ratio: Spread;
}

/**
 * Trains two copies of the network in turns of one epoch each, one with the collector, and times the epochs: from
 * their first step to the end of their last, rows written and the epoch's store sealed.
 *
 * @param options The collector's; its `path` is a directory that may be removed.
 */
export async function measureOverhead(
  { xs, ys }: Tensors,
  batchSize: number,
  repeats: number,
  options: RunOptions,
): Promise<Overhead> {
  const plain = buildNetwork();
  const collecting = prepareForGradientCollection(buildNetwork());
  const time = async (model: tf.LayersModel, callbacks: tf.Callback[]) => {
    const clock = new EpochClock();
    await model.fit(xs, ys, { batchSize, verbose: 0, callbacks: [...callbacks, clock] });
    return clock.milliseconds;
  };
  const collect = async () => {
    const milliseconds = await time(collecting, [new GradientCollectorCallback(options)]);
    rmSync(options.path, { recursive: true });
    return milliseconds;
  };
  await time(plain, []);
  await collect();
  const times: number[] = [];
  const ratios: number[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    // Which goes first alternates, so that a machine that slows down slows both alike.
    const before = repeat % 2 === 0 ? await time(plain, []) : undefined;
    const with_ = await collect();
    const without = before ?? (await time(plain, []));
    times.push(without);
    ratios.push(with_ / without);
  }
  for (const model of [plain, collecting]) {
    model.optimizer.dispose();
    model.dispose();
  }
  const steps = Math.ceil(xs.shape[0] / batchSize);
  return { steps, repeats, plain: spread(times.map((time) => time / steps)), ratio: spread(ratios) };
}

/** Times an epoch; last of the callbacks, so that the others' work at its end counts. */
class EpochClock extends tf.Callback {
  milliseconds = NaN;
  private start = NaN;

  override onEpochBegin(): Promise<void> {
    this.start = performance.now();
    return Promise.resolve();
  }

  override onEpochEnd(): Promise<void> {
    this.milliseconds = performance.now() - this.start;
    return Promise.resolve();
  }
}
