/** How near two float32 computations of the same numbers must come. */
import { tensorFlowBackend } from '../../kernels/tensorflow-backend';

/**
 * Gradients computed for a batch and for each example alone differ only in the order of float32 sums. Relative to
 * the largest element, since elements that cancel have no relative accuracy of their own.
 */
export const ROUNDING = 1e-5;

/**
 * Central differences of a float32 loss: rounding of the loss over the step, 1e-7 / 1e-2, on top of the loss's
 * third derivative times the step squared.
 */
export const TRUNCATION = 1e-2;

/** Whether two vectors are equal to the bit. For many numbers: Jest takes microseconds over each. */
export function sameBits(found: NodeJS.TypedArray, expected: NodeJS.TypedArray): boolean {
  const [a, b] = [found, expected].map(({ buffer, byteOffset, byteLength }) =>
    Buffer.from(buffer, byteOffset, byteLength),
  ) as [Buffer, Buffer];
  return a.equals(b);
}

/**
 * Expects the same bits; where TensorFlow runs on a GPU, whose sums it lets come in any order unless
 * TF_DETERMINISTIC_OPS=1 forbids it, the same numbers to rounding.
 */
export function expectUnchanged(found: number[][], expected: number[][]): void {
  if (tensorFlowBackend()?.isUsingGpuDevice === true)
    expect(relativeError(found.flat(), expected.flat())).toBeLessThan(ROUNDING);
  else expect(found).toEqual(expected);
}

/** The largest difference between two vectors, relative to the largest element of the expected one. */
export function relativeError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Infinity;
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs((found[i] ?? NaN) - (expected[i] ?? NaN));
    if (Number.isNaN(error)) return Infinity;
    difference = Math.max(difference, error);
    largest = Math.max(largest, Math.abs(expected[i] ?? NaN));
  }
  return difference === 0 ? 0 : difference / largest;
}
