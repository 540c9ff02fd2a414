/** Checks what scores promise: unlearns examples for real, and compares what a loss rises by with what was predicted. */
import tf = require('@tensorflow/tfjs');
import { batchLoss, exampleOf, type Batch } from '../compiled-model';
import { InvalidOptionError, NonFiniteValueError } from '../errors';
import type { GradientCollectorOptions } from '../gradient-collector';
import { pearson, spearman } from './correlation';
import { directionProduct, Unlearning, withStep, type Direction } from './unlearning';

export interface VerifyOptions {
  /** Training examples to unlearn one at a time: their inputs and targets [N, ...], as training saw them. */
  readonly examples: Batch;
  /** Their ids, in the same order: [N]. */
  readonly ids: readonly number[];
  /**
   * How far a step moves the weights, relative to their norm. Default: 3e-4, where the loss's rounding and its curvature
   * each leave correlations of networks above 0.999.
   */
  readonly relativeStep?: number;
  /** The loss of an example, given as a batch of one. Default: the compiled model's own. */
  readonly loss?: (batch: Batch) => tf.Scalar;
  /** Told how many examples are done. */
  readonly onProgress?: (done: number) => void;
}

/** One example, unlearned. Changes of the query's loss are in its own unit, nats for a cross-entropy, for a step of learning rate one. */
export interface VerifiedExample {
  readonly example: number;
  /** What exact gradients at these weights predict. */
  readonly predicted: number;
  /** What the query's loss rose by, over the step's size. */
  readonly measured: number;
  /** The learning rate at which the step was taken. */
  readonly learningRate: number;
}

/** What unlearning examples showed of their scores. */
export interface Verification {
  readonly examples: readonly (VerifiedExample & {
    /** The score of the example's row in the run: projected, and captured when training met the example. */
    readonly score: number;
  })[];
  /** Correlations of what exact gradients predict with what was measured. */
  readonly predicted: Agreement;
  /** Correlations of the run's scores with what was measured. */
  readonly score: Agreement;
}

/** NaN where all examples have the same value. */
export interface Agreement {
  readonly pearson: number;
  readonly spearman: number;
}

/**
 * Takes one gradient-ascent step on the loss of each example, each from the same weights, which are put back to the
 * bit, and measures the loss of the query before and after. The model runs as it does outside training.
 *
 * @param query A scalar loss computed through the model.
 * @param options Which layers to move and how gradients are normalized, as a collector's.
 * @throws InvalidOptionError, NonFiniteValueError, NoGradientError, UncompiledModelError
 */
export function verifyPredictions(
  model: tf.LayersModel,
  query: () => tf.Scalar,
  options: VerifyOptions,
  collected: Pick<GradientCollectorOptions, 'layers' | 'includeBias' | 'attention' | 'normalizer'>,
): VerifiedExample[] {
  const { examples, ids, relativeStep = 3e-4, loss = (batch) => batchLoss(model, batch) } = options;
  checkExamples(examples, ids, relativeStep);
  const unlearning = new Unlearning(model, collected);
  const { weights } = unlearning;
  const gradient = gradientBy(weights, query);
  try {
    const length = relativeStep * norm(new Map(weights.map((weight) => [weight, weight])));
    const value = () => tf.tidy(() => query().dataSync()[0] ?? NaN);
    const before = value();
    return ids.map((example, i) => {
      const alone = exampleOf(examples, i);
      const direction = unlearning.direction(() => loss(alone));
      const size = norm(direction);
      // An example whose gradient is zero moves nothing, however long the step.
      const learningRate = size === 0 ? 0 : length / size;
      const after = withStep(direction, learningRate, value);
      const predicted = directionProduct(gradient, direction);
      tf.dispose([...direction.values(), ...[alone.xs, alone.ys].flat()]);
      if (!Number.isFinite(after))
        throw new NonFiniteValueError(`the loss after unlearning ${example}`, after);
      options.onProgress?.(i + 1);
      return { example, predicted, measured: size === 0 ? 0 : (after - before) / learningRate, learningRate };
    });
  } finally {
    tf.dispose([...gradient.values()]);
    unlearning.dispose();
  }
}

export function toVerification(examples: Verification['examples']): Verification {
  const measured = examples.map((each) => each.measured);
  const agreement = (values: readonly number[]) => ({
    pearson: pearson(values, measured),
    spearman: spearman(values, measured),
  });
  return {
    examples,
    predicted: agreement(examples.map(({ predicted }) => predicted)),
    score: agreement(examples.map(({ score }) => score)),
  };
}

/** The gradient by those of `weights` that the loss depends on. */
function gradientBy(weights: tf.Variable[], loss: () => tf.Scalar): Direction {
  const { value, grads } = tf.variableGrads(loss, weights);
  value.dispose();
  return new Map(
    weights.filter(({ name }) => name in grads).map((weight) => [weight, grads[weight.name] as tf.Tensor]),
  );
}

function norm(direction: Direction): number {
  return Math.sqrt(directionProduct(direction, direction));
}

function checkExamples({ xs, ys }: Batch, ids: readonly number[], relativeStep: number): void {
  for (const tensor of [xs, ys].flat()) {
    if (tensor.shape[0] !== ids.length) {
      throw new InvalidOptionError(
        'ids',
        ids.length,
        `${String(tensor.shape[0])}, one for each of the examples`,
      );
    }
  }
  if (!(relativeStep > 0 && relativeStep < 1)) {
    throw new InvalidOptionError('relativeStep', relativeStep, 'a number between 0 and 1');
  }
}
