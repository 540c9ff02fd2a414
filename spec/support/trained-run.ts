/** Trains a small model with a collector, for what is asked of runs. */
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { GradientCollectorCallback, prepareForGradientCollection, type RunOptions } from '../../callbacks';
import type { TrainingCase } from './small-models';

interface Training {
  readonly exampleCount?: number;
  readonly epochs?: number;
  readonly batchSize?: number;
}

export interface TrainedRun {
  readonly run: string;
  readonly model: tf.LayersModel;
  readonly xs: tf.Tensor;
  readonly ys: tf.Tensor;
}

let runs = 0;

/** A run in `directory` with the model it trained and the data, in order. */
export async function trainRun(
  directory: string,
  { build, data }: TrainingCase,
  { exampleCount = 20, epochs = 2, batchSize = 8, ...options }: Training & Partial<RunOptions> = {},
): Promise<TrainedRun> {
  const run = path.join(directory, `trained-${runs++}`);
  const model = prepareForGradientCollection(build());
  const { xs, ys } = data(exampleCount);
  const collector = new GradientCollectorCallback({ path: run, index: false, trackOrder: true, ...options });
  await model.fit(xs, ys, { epochs, batchSize, verbose: 0, callbacks: [collector] });
  return { run, model, xs, ys };
}

/** Examples `first` up to `end` of `data`. */
export function slice({ xs, ys }: Pick<TrainedRun, 'xs' | 'ys'>, first: number, end: number) {
  return { xs: xs.slice(first, end - first), ys: ys.slice(first, end - first) };
}
