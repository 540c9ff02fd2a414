/** <left, right>, summed in double precision; not a number where they differ in length. */
export function innerProduct(left: ArrayLike<number>, right: ArrayLike<number>): number {
  if (left.length !== right.length) return NaN;
  let sum = 0;
  for (let i = 0; i < left.length; i++) sum += (left[i] ?? NaN) * (right[i] ?? NaN);
  return sum;
}
