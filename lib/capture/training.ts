/**
 * Lets each step of a model's training know which examples it sees. All ways of training a compiled model run the
 * function that `makeTrainFunction` makes, and there a step is surrounded; its ids come, in `fit`, from an index tensor
 * that goes through tfjs's own shuffling and batching in place of the inputs, of which each batch is then taken by its ids: as
 * tfjs does, but without converting the ids and reading them back for each input. In `fitDataset` they come from the batch.
 */
import tf = require('@tensorflow/tfjs');
import { takeRows } from '../../kernels/take-rows';
import { trainedModel } from '../compiled-model';
import { readExampleIds, releaseExampleIds } from '../example-ids';

/** What surrounds each training step on the examples `ids`; it must run `step` once and return what that returns. */
export type StepInterceptor = (ids: Int32Array, step: () => tf.Scalar[]) => tf.Scalar[];

/** One running `fit` or `fitDataset` on a prepared model. */
export class Training {
  /** Surrounds every step once set; there can be one. */
  interceptor: StepInterceptor | null = null;
  /** Called when training ends by an error, and `onTrainEnd` therefore never comes. */
  onFailure: (() => void) | null = null;
  /** The examples of the step that comes next. */
  private ids: Int32Array | null = null;

  constructor(
    readonly model: tf.LayersModel,
    /** Rows of the training data, those split off for validation not counted; undefined in `fitDataset`. */
    readonly exampleCount: number | undefined,
    private readonly callbacks: readonly object[],
  ) {}

  /** Whether `callback` was passed to this training, as it is or, beside plain callback objects, wrapped by tfjs. */
  has(callback: tf.Callback): boolean {
    return this.callbacks.some(
      (other) => other === callback || ('trainBegin' in other && other.trainBegin === callback.onTrainBegin),
    );
  }

  /** Says which examples the next step sees. */
  announce(ids: Int32Array): void {
    this.ids = ids;
  }

  /** Runs a step, surrounded if it was announced: other steps of the model, such as a callback's, are none of the data set. */
  run(step: () => tf.Scalar[]): tf.Scalar[] {
    const { ids, interceptor } = this;
    this.ids = null;
    return ids === null || interceptor === null ? step() : interceptor(ids, step);
  }
}

type Tensors = (tf.Tensor | null)[];
type TrainFunction = (data: Tensors) => tf.Scalar[];

/** The methods of `LayersModel` that are replaced, of which tfjs's types hide some and narrow others. */
interface TrainingMethods {
  makeTrainFunction(this: tf.LayersModel): TrainFunction;
  fitLoop(
    this: tf.LayersModel,
    f: TrainFunction,
    ins: Tensors,
    outLabels: string[],
    batchSize: number,
    epochs: number,
    verbose: number,
    callbacks: object[],
    ...rest: unknown[]
  ): Promise<tf.History>;
  fitDataset(this: tf.LayersModel, dataset: BatchDataset, args: FitDatasetArgs): Promise<tf.History>;
}

/** What `fitDataset` uses of a data set. */
interface BatchDataset {
  readonly size: number;
  iterator(): Promise<BatchIterator>;
}
interface BatchIterator {
  next(): Promise<IteratorResult<object | null>>;
}
interface FitDatasetArgs {
  readonly callbacks?: object | object[];
  readonly validationData?: object;
}

const running = new Map<tf.LayersModel, Training>();
const prepared = new WeakSet<tf.LayersModel>();

/** The running training that `callback` was passed to, if its model is prepared. */
export function findTraining(callback: tf.Callback): Training | undefined {
  return [...running.values()].find((training) => training.has(callback));
}

/** Whether training this model reports its example ids. */
export function reportsExampleIds(model: tf.LayersModel): boolean {
  return prepared.has(trainedModel(model));
}

/** Makes training this model report its example ids. Idempotent. */
export function reportExampleIds(model: tf.LayersModel): void {
  const trained = trainedModel(model);
  if (prepared.has(trained)) return;
  const methods = methodsOf(trained);
  const { makeTrainFunction, fitLoop, fitDataset } = methods;
  if (makeTrainFunction === undefined || fitLoop === undefined || fitDataset === undefined)
    throw new Error('internal: this version of tfjs-layers trains by other methods');
  prepared.add(trained);

  methods.makeTrainFunction = function () {
    const train = makeTrainFunction.call(this);
    return (data) => {
      const step = () => train(data);
      return running.get(this)?.run(step) ?? step();
    };
  };

  methods.fitLoop = function (f, ins, outLabels, batchSize, epochs, verbose, callbacks, ...rest) {
    const exampleCount = ins[0]?.shape[0] ?? 0;
    const training = new Training(this, exampleCount, callbacks);
    const index = tf.range(0, exampleCount, 1, 'int32');
    const step: TrainFunction = (data) => {
      const ids = data[0] as tf.Tensor1D;
      if (training.interceptor !== null) training.announce(new Int32Array(ids.dataSync()));
      return f(ins.map((whole) => whole && takeRows(whole, ids)));
    };
    const options = [outLabels, batchSize, epochs, verbose, callbacks] as const;
    return follow(training, () => fitLoop.call(this, step, [index], ...options, ...rest)).finally(() => {
      index.dispose();
    });
  };

  methods.fitDataset = function (dataset, args) {
    // tfjs refuses this one, and must not disturb the other.
    if (running.has(this)) return fitDataset.call(this, dataset, args);
    const training = new Training(this, undefined, [args.callbacks ?? []].flat());
    const announced = onEachBatch(dataset, async (batch) => {
      if (training.interceptor !== null) training.announce(await readExampleIds(batch));
      releaseExampleIds(batch);
    });
    const { validationData } = args;
    const rest =
      validationData === undefined || !('iterator' in validationData)
        ? args
        : { ...args, validationData: onEachBatch(validationData as BatchDataset, releaseExampleIds) };
    return follow(training, () => fitDataset.call(this, announced, rest));
  };
}

/** Undoes `reportExampleIds`. */
export function restoreTraining(model: tf.LayersModel): void {
  const trained = trainedModel(model);
  prepared.delete(trained);
  const methods = methodsOf(trained);
  delete methods.makeTrainFunction;
  delete methods.fitLoop;
  delete methods.fitDataset;
}

/** Runs all of a training, which can be found meanwhile. */
async function follow(training: Training, train: () => Promise<tf.History>): Promise<tf.History> {
  running.set(training.model, training);
  try {
    return await train();
  } catch (error) {
    training.onFailure?.();
    throw error;
  } finally {
    running.delete(training.model);
  }
}

/** `dataset` as it is, with each batch shown to `visit` first. */
function onEachBatch(dataset: BatchDataset, visit: (batch: object) => void | Promise<void>): BatchDataset {
  return {
    size: dataset.size,
    iterator: async () => {
      const iterator = await dataset.iterator();
      return {
        next: async () => {
          const result = await iterator.next();
          if (result.value != null) await visit(result.value as object);
          return result;
        },
      };
    },
  };
}

function methodsOf(model: tf.LayersModel): Partial<TrainingMethods> {
  return model as unknown as Partial<TrainingMethods>;
}
