/** Finite differences and batches of one, against the gradients that are collected: a check that users can run. */
import tf = require('@tensorflow/tfjs');
import type { AttributedPart } from './capture/attributed-layers';
import { batchLoss, exampleOf, type Batch } from './compiled-model';
import { differenceError } from './finite-differences';
import { GradientCollector, type GradientCollectorOptions } from './gradient-collector';
import { relativeError } from './relative-error';

export interface GradientCheckOptions extends Pick<
  GradientCollectorOptions,
  'layers' | 'includeBias' | 'attention'
> {
  /** Elements of each part that are compared with finite differences: half the largest, half at random. Default: 4. */
  readonly elements?: number;
  /** Examples that are compared with their gradients alone, from the first on. Default: 2. */
  readonly examples?: number;
  /** The loss of a batch, a mean over its examples. Default: the compiled model's own. */
  readonly loss?: (batch: Batch) => tf.Scalar;
}

/** How far one part's collected gradients are from others of the same; both relative to the largest element. */
export interface GradientCheck {
  /** The path of the layer or part, as gradients are collected under it. */
  readonly path: string;
  /**
   * Of their sum, from central differences of the loss: below 1e-2 where gradients are right, since the loss is
   * float32 and its third derivative is not zero; above, too, where every step crosses the kink of an activation.
   */
  readonly differences: number;
  /** Of single examples', from what tfjs computes for a batch of that example alone: below 1e-4 where they are right. */
  readonly alone: number;
}

/**
 * Compares the per-example gradients of every attributed layer with central differences of the loss and with batches
 * of one. Weights are moved and put back. It forms whole gradients and takes six passes forward for each element: a
 * few examples are a good batch.
 *
 * @returns One entry a part, in the order of a row.
 * @throws UncompiledModelError if there is no loss; what tfjs throws where it cannot differentiate the model itself.
 *
 * @example
 * for (const { path, differences, alone } of checkGradients(model, { xs, ys })) {
 *   console.log(path, differences < 1e-2, alone < 1e-4);
 * }
 */
export function checkGradients(
  model: tf.LayersModel,
  batch: Batch,
  options: GradientCheckOptions = {},
): GradientCheck[] {
  const {
    elements = 4,
    examples = 2,
    loss = (some: Batch) => batchLoss(model, some),
    ...selection
  } = options;
  const collector = new GradientCollector(model, {
    ...selection,
    projectionDim: 'exact',
    lossReduction: 'sum',
  });
  return tf.tidy(() => {
    const { gradients } = collector.run(() => loss(batch));
    const batchSize = [...gradients.values()][0]?.shape[0] ?? 0;
    const checked = Array.from({ length: Math.min(examples, batchSize) }, (_, i) => i);
    const alone = checked.map((example) =>
      partGradients(collector.parts, () => loss(exampleOf(batch, example))),
    );
    const value = () => tf.tidy(() => loss(batch).dataSync()[0] ?? NaN);
    const checks = collector.parts.map((part, i) => {
      const each = gradients.get(part.path) ?? tf.zeros<tf.Rank.R3>([batchSize, ...part.gradientShape]);
      const sum = each.sum(0).dataSync<'float32'>();
      return {
        path: part.path,
        differences: differenceError(part, sum, value, elements),
        // The batch's loss is a mean, of which an example's gradient is its share.
        alone: Math.max(
          0,
          ...checked.map((example) =>
            relativeError(
              each.slice(example, 1).mul(batchSize).dataSync(),
              alone[example]?.[i] ?? new Float32Array(),
            ),
          ),
        ),
      };
    });
    tf.dispose([...gradients.values()]);
    collector.dispose();
    return checks;
  });
}

/** tfjs's own gradients, one [O, I] a part. */
function partGradients(parts: readonly AttributedPart[], loss: () => tf.Scalar): Float32Array[] {
  return tf.tidy(() => {
    const weights = [...new Set(parts.flatMap((part) => part.weights))];
    const { grads } = tf.variableGrads(loss, weights);
    return parts.map((part) => {
      const own = part.weights.map((weight) => grads[weight.name] ?? tf.zerosLike(weight));
      return part.asMatrix(own).dataSync<'float32'>().slice();
    });
  });
}
