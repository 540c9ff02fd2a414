/** The other oracle: central differences of the loss, a few weight elements at a time. */
import tf = require('@tensorflow/tfjs');
import type { AttributedPart } from '../../lib/capture/attributed-layers';

const STEP = 1e-2;
/** Elements moved together, each up or down: every one counts in full, in so many times fewer passes. */
const TOGETHER = 8;

/** One element of one weight. */
interface Element {
  readonly weight: number;
  readonly index: number;
}

/**
 * How far `gradient` [O, I], flattened, of a scalar loss by one part's weights is from differences of that loss: the
 * largest difference along any group of elements, relative to the largest element.
 */
export function differenceError(
  part: Pick<AttributedPart, 'asMatrix' | 'weights'>,
  gradient: ArrayLike<number>,
  loss: () => tf.Scalar,
): number {
  const { weights } = part;
  const original = weights.map((weight) => weight.dataSync<'float32'>().slice());
  const elements = layoutOf(part);
  if (elements.length !== gradient.length) return Infinity;
  const directions = tf.tidy(() =>
    tf.randomUniform([elements.length], -1, 1, 'float32', 1).sign().dataSync(),
  );
  const errors: number[] = [];
  for (let first = 0; first < elements.length; first += TOGETHER) {
    const group = elements.slice(first, first + TOGETHER);
    const signs = Array.from(directions.slice(first, first + TOGETHER));
    // However many move, the way is as long.
    const step = STEP / Math.sqrt(group.length);
    const [above, below] = [step, -step].map((length) => {
      const moved = original.map((values) => values.slice());
      group.forEach(({ weight, index }, i) => {
        const values = moved[weight] as Float32Array;
        values[index] = (values[index] ?? NaN) + length * (signs[i] ?? NaN);
      });
      assign(weights, moved);
      return tf.tidy(() => loss().dataSync()[0] ?? NaN);
    }) as [number, number];
    const expected = (above - below) / (2 * step);
    const found = signs.reduce((sum, sign, i) => sum + sign * (gradient[first + i] ?? NaN), 0);
    errors.push(Math.abs(found - expected));
  }
  assign(weights, original);
  const largest = Math.max(...Array.from(gradient, Math.abs));
  const error = Math.max(...errors);
  return error === 0 ? 0 : error / largest;
}

/** Where each element of a part's matrix lies in its weights. */
function layoutOf({ weights, asMatrix }: Pick<AttributedPart, 'asMatrix' | 'weights'>): Element[] {
  const layOut = (value: (weight: number, index: number) => number) =>
    tf.tidy(() => {
      const filled = weights.map(({ shape, size }, weight) =>
        tf.tensor(
          Array.from({ length: size }, (_, index) => value(weight, index)),
          shape,
        ),
      );
      return Array.from(asMatrix(filled).dataSync());
    });
  const indices = layOut((_, index) => index);
  return layOut((weight) => weight).map((weight, i) => ({ weight, index: indices[i] ?? NaN }));
}

function assign(weights: readonly tf.Variable[], values: readonly Float32Array[]): void {
  tf.tidy(() => {
    weights.forEach((weight, i) => {
      weight.assign(tf.tensor(values[i] as Float32Array, weight.shape));
    });
  });
}
