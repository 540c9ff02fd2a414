/** The ways of training a model that tfjs has, each with and without recording a run, over the same data. */
import tf = require('@tensorflow/tfjs');
import {
  GradientCollectorCallback,
  prepareForGradientCollection,
  TrainingRecorder,
  withExampleIds,
  type TrainingRecorderOptions,
} from '../../callbacks';
import { batchLoss } from '../../lib/compiled-model';

/** Inputs and targets, one tensor [examples, ...] for each of the model's. */
export interface Data {
  readonly xs: readonly tf.Tensor[];
  readonly ys: readonly tf.Tensor[];
}

export interface Schedule {
  readonly epochs: number;
  readonly batchSize: number;
  readonly shuffle: boolean;
}

export interface WayOfTraining {
  readonly name: string;
  /** Trains, and records a run unless it is null. The same schedule without shuffling trains the same in every call. */
  readonly train: (
    model: tf.LayersModel,
    data: Data,
    schedule: Schedule,
    run: TrainingRecorderOptions | null,
  ) => Promise<void>;
}

/** Examples of a batch, gathered; the caller disposes. */
export function gatherBatch({ xs, ys }: Data, ids: ArrayLike<number>): { xs: tf.Tensor[]; ys: tf.Tensor[] } {
  return tf.tidy(() => {
    const indices = tf.tensor1d(Array.from(ids), 'int32');
    const gather = (tensors: readonly tf.Tensor[]) => tensors.map((tensor) => tf.gather(tensor, indices));
    return { xs: gather(xs), ys: gather(ys) };
  });
}

/** The only one of several tensors, as tfjs wants it, or all of them. */
export function unwrap(tensors: readonly tf.Tensor[]): tf.Tensor | tf.Tensor[] {
  return tensors.length === 1 && tensors[0] !== undefined ? tensors[0] : [...tensors];
}

interface Element extends tf.TensorContainerObject {
  xs: tf.TensorContainer;
  ys: tf.TensorContainer;
}

/** A data set of plain arrays, an element an example. */
export function datasetOf(model: tf.LayersModel, { xs, ys }: Data): tf.data.Dataset<Element> {
  const arrays = (tensors: readonly tf.Tensor[]) =>
    tensors.map((tensor) => tensor.arraySync() as tf.TensorContainer[]);
  const [inputs, targets] = [arrays(xs), arrays(ys)];
  const pick = (names: string[], columns: tf.TensorContainer[][], i: number): tf.TensorContainer =>
    columns.length === 1
      ? columns[0]![i]
      : Object.fromEntries(names.map((name, column) => [name, columns[column]![i]]));
  const element = (i: number): Element => ({
    xs: pick(model.inputNames, inputs, i),
    ys: pick(model.outputNames, targets, i),
  });
  return tf.data.array(Array.from({ length: xs[0]?.shape[0] ?? 0 }, (_, i) => element(i)));
}

/** Batches of ids for one epoch. */
function batchesOf(examples: number, { batchSize, shuffle }: Schedule): number[][] {
  const ids = Array.from({ length: examples }, (_, i) => i);
  if (shuffle) tf.util.shuffle(ids);
  return Array.from({ length: Math.ceil(examples / batchSize) }, (_, i) =>
    ids.slice(i * batchSize, (i + 1) * batchSize),
  );
}

function callbacksOf(run: TrainingRecorderOptions | null): tf.Callback[] {
  return run === null ? [] : [new GradientCollectorCallback(run)];
}

type Tensors = tf.Tensor | tf.Tensor[] | tf.NamedTensorMap;

const fit = (form: 'tensors' | 'by name'): WayOfTraining => ({
  name: `fit, ${form}`,
  async train(model, { xs, ys }, { epochs, batchSize, shuffle }, run) {
    const given = (names: string[], tensors: readonly tf.Tensor[]): Tensors =>
      form === 'by name' ? Object.fromEntries(names.map((name, i) => [name, tensors[i]!])) : unwrap(tensors);
    if (run !== null) prepareForGradientCollection(model);
    await model.fit(given(model.inputNames, xs), given(model.outputNames, ys), {
      epochs,
      batchSize,
      shuffle,
      verbose: 0,
      callbacks: callbacksOf(run),
    });
  },
});

const fitDataset: WayOfTraining = {
  name: 'fitDataset',
  async train(model, data, { epochs, batchSize, shuffle }, run) {
    const dataset = datasetOf(model, data);
    const numbered: tf.data.Dataset<Element> = run === null ? dataset : withExampleIds(dataset);
    if (run !== null) prepareForGradientCollection(model);
    const batches = (shuffle ? numbered.shuffle(7) : numbered).batch(batchSize);
    await model.fitDataset(batches, { epochs, verbose: 0, callbacks: callbacksOf(run) });
  },
};

/** A loop over batches, each of which `step` trains on. */
const loop = (
  name: string,
  compiled: boolean,
  step: (
    model: tf.LayersModel,
    batch: { xs: tf.Tensor[]; ys: tf.Tensor[] },
    optimizer: tf.Optimizer,
  ) => unknown,
): WayOfTraining => ({
  name,
  async train(model, data, schedule, run) {
    // The optimizer of models that the specs compile, new and not the model's own where that takes no part.
    const optimizer = compiled ? model.optimizer : tf.train.adam(0.01);
    const recorder = run === null ? null : TrainingRecorder.start(model, { ...run, optimizer });
    for (let epoch = 0; epoch < schedule.epochs; epoch++) {
      recorder?.beginEpoch(epoch);
      for (const ids of batchesOf(data.xs[0]?.shape[0] ?? 0, schedule)) {
        const batch = gatherBatch(data, ids);
        const body = () => step(model, batch, optimizer);
        const result: unknown = recorder === null ? await body() : await recorder.step(ids, body);
        if (result instanceof tf.Tensor) result.dispose();
        tf.dispose([batch.xs, batch.ys]);
      }
      await recorder?.endEpoch();
    }
    await recorder?.finish();
    if (!compiled) optimizer.dispose();
  },
});

const trainOnBatch = loop('trainOnBatch', true, (model, { xs, ys }) =>
  model.trainOnBatch(unwrap(xs), unwrap(ys)),
);

const minimize = loop('a loop around minimize', false, (model, batch, optimizer) =>
  optimizer.minimize(() => batchLoss(model, batch), true),
);

export const WAYS_OF_TRAINING: readonly WayOfTraining[] = [
  fit('tensors'),
  fit('by name'),
  fitDataset,
  trainOnBatch,
  minimize,
];
