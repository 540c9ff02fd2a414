/**
 * Lets a step of `model.fit` know which examples it sees: an index tensor rides along with the inputs through
 * tfjs's own shuffling and batching.
 */
import * as tf from '@tensorflow/tfjs';
import { trainedModel } from '../compiled-model';

/** What surrounds each training step on the examples `ids`; it must run `step` once and return what that returns. */
export type StepInterceptor = (ids: Int32Array, step: () => tf.Scalar[]) => tf.Scalar[];

/** One running `fit` on a prepared model. */
export class Fit {
  /** Surrounds every step once set; there can be one. */
  interceptor: StepInterceptor | null = null;
  /** Called when the fit ends by an error, and `onTrainEnd` therefore never comes. */
  onFailure: (() => void) | null = null;

  constructor(
    readonly model: tf.LayersModel,
    /** Rows of the training data, those split off for validation not counted. */
    readonly examples: number,
    private readonly callbacks: readonly object[],
  ) {}

  /** Whether `callback` was passed to this fit, as it is or, beside plain callback objects, wrapped by tfjs. */
  has(callback: tf.Callback): boolean {
    return this.callbacks.some(
      (other) => other === callback || ('trainBegin' in other && other.trainBegin === callback.onTrainBegin),
    );
  }
}

/** `LayersModel.fitLoop`, of which tfjs's types are narrower than what it passes. */
interface FitLoopOwner {
  fitLoop?: FitLoop;
}
type FitLoop = (
  this: tf.LayersModel,
  f: (data: (tf.Tensor | null)[]) => tf.Scalar[],
  ins: (tf.Tensor | null)[],
  outLabels: string[],
  batchSize: number,
  epochs: number,
  verbose: number,
  callbacks: object[],
  ...rest: unknown[]
) => Promise<tf.History>;

const running = new Set<Fit>();
const prepared = new WeakSet<FitLoopOwner>();

/** The running fit that `callback` was passed to, if its model is prepared. */
export function findFit(callback: tf.Callback): Fit | undefined {
  return [...running].find((fit) => fit.has(callback));
}

/** Whether `fit` on this model reports its example ids. */
export function reportsExampleIds(model: tf.LayersModel): boolean {
  return prepared.has(fitLoopOwner(model));
}

/** Makes `fit` on this model report its example ids. Idempotent. */
export function reportExampleIds(model: tf.LayersModel): void {
  const owner = fitLoopOwner(model);
  if (prepared.has(owner)) return;
  const { fitLoop } = owner;
  if (fitLoop === undefined)
    throw new Error('internal: this version of tfjs-layers has no LayersModel.fitLoop');
  prepared.add(owner);
  owner.fitLoop = async function (f, ins, outLabels, batchSize, epochs, verbose, callbacks, ...rest) {
    const examples = ins[0]?.shape[0] ?? 0;
    const fit = new Fit(this, examples, callbacks);
    const ids = tf.range(0, examples, 1, 'int32');
    const step = (data: (tf.Tensor | null)[]) => {
      const own = data.slice(0, -1);
      const batch = data[data.length - 1];
      if (fit.interceptor === null || !batch) return f(own);
      return fit.interceptor(Int32Array.from(batch.dataSync()), () => f(own));
    };
    running.add(fit);
    try {
      const shared = [outLabels, batchSize, epochs, verbose, callbacks] as const;
      return await fitLoop.call(this, step, [...ins, ids], ...shared, ...rest);
    } catch (error) {
      fit.onFailure?.();
      throw error;
    } finally {
      running.delete(fit);
      ids.dispose();
    }
  };
}

/** Undoes `reportExampleIds`. */
export function restoreFit(model: tf.LayersModel): void {
  const owner = fitLoopOwner(model);
  prepared.delete(owner);
  delete owner.fitLoop;
}

function fitLoopOwner(model: tf.LayersModel): FitLoopOwner {
  return trainedModel(model) as unknown as FitLoopOwner;
}
