/** Unlearning an example: one gradient-ascent step on its loss, as scores understand it, which can be undone. */
import tf = require('@tensorflow/tfjs');
import type { AttributedPart } from '../capture/attributed-layers';
import { GradientCollector, type GradientCollectorOptions } from '../gradient-collector';
import { scaleMatrix, type Normalizer } from '../normalizers/normalizer';
import { innerProduct } from '../inner-product';

/** What a step changes: one tensor for each attributed weight, in its shape. */
export type Direction = ReadonlyMap<tf.Variable, tf.Tensor>;

/**
 * The directions in which scores predict. A score is <P g_q, P g_n>, with P the normalizer's division or nothing: to
 * first order what a loss with gradient g_q rises by when the weights move by P P g_n, once per unit of learning rate.
 */
export class Unlearning {
  private readonly collector: GradientCollector;
  private readonly normalizer: Normalizer | null;

  /** @throws UnsupportedLayerError, UnknownLayerError, AttentionHeadsError */
  constructor(
    model: tf.LayersModel,
    options: Pick<GradientCollectorOptions, 'layers' | 'includeBias' | 'attention' | 'normalizer'>,
  ) {
    this.normalizer = options.normalizer ?? null;
    this.collector = new GradientCollector(model, {
      ...options,
      projectionDim: 'exact',
      lossReduction: 'sum',
    });
  }

  /** The weights that steps change. */
  get weights(): tf.Variable[] {
    return [...new Set(this.collector.parts.flatMap(({ weights }) => weights))];
  }

  /** The direction that unlearns the one example of which `loss` is computed. The caller disposes it. @throws NoGradientError */
  direction(loss: () => tf.Scalar): Direction {
    const { loss: value, gradients } = this.collector.run(loss);
    value.dispose();
    const changes = new Map<tf.Variable, tf.Tensor>();
    tf.tidy(() => {
      for (const part of this.collector.parts) {
        const gradient = gradients.get(part.path)?.squeeze<tf.Tensor2D>([0]);
        if (gradient === undefined) continue;
        // The collector has divided once, for the example's side of the inner product; this is the query's.
        const scaled =
          this.normalizer === null ? gradient : gradient.mul<tf.Tensor2D>(scaleMatrix(this.normalizer, part));
        layOutAsWeights(part, scaled).forEach((change, i) => {
          const weight = part.weights[i] as tf.Variable;
          const earlier = changes.get(weight);
          changes.set(weight, earlier === undefined ? change : earlier.add(change));
        });
      }
      for (const change of changes.values()) tf.keep(change);
    });
    tf.dispose([...gradients.values()]);
    return changes;
  }

  dispose(): void {
    this.collector.dispose();
  }
}

/** Weights moved by `length` times `direction` while `body` runs, and put back as they were to the bit. */
export function withStep<T>(direction: Direction, length: number, body: () => T): T {
  const originals = [...direction.keys()].map((weight) => weight.clone());
  try {
    for (const [weight, change] of direction) {
      tf.tidy(() => {
        weight.assign(weight.add(change.mul(length)));
      });
    }
    return body();
  } finally {
    [...direction.keys()].forEach((weight, i) => {
      weight.assign(originals[i] as tf.Tensor);
    });
    tf.dispose(originals);
  }
}

/** <left, right> over all weights, summed in double precision. */
export function directionProduct(left: Direction, right: Direction): number {
  let sum = 0;
  for (const [weight, change] of left) {
    const other = right.get(weight);
    if (other !== undefined) sum += innerProduct(change.dataSync(), other.dataSync());
  }
  return sum;
}

/** Puts a matrix [O, I] where its elements lie in the part's weights: `asMatrix` only moves elements, so its adjoint moves them back. */
function layOutAsWeights({ weights, asMatrix }: AttributedPart, matrix: tf.Tensor2D): tf.Tensor[] {
  const move = (...tensors: tf.Tensor[]) => asMatrix(tensors).mul(matrix).sum();
  return tf.grads(move)(weights.map((weight) => tf.zerosLike(weight)));
}
