/** How alike two series of numbers are. */
import { innerProduct } from '../inner-product';

/** Pearson's correlation; NaN where either series is constant. */
export function pearson(left: ArrayLike<number>, right: ArrayLike<number>): number {
  const [a, b] = [centered(left), centered(right)];
  return innerProduct(a, b) / Math.sqrt(innerProduct(a, a) * innerProduct(b, b));
}

/** Spearman's rank correlation, equal values sharing the mean of their ranks; NaN where either series is constant. */
export function spearman(left: ArrayLike<number>, right: ArrayLike<number>): number {
  return pearson(ranks(left), ranks(right));
}

function ranks(values: ArrayLike<number>): Float64Array {
  const at = (i: number | undefined) => values[i ?? -1] ?? NaN;
  const order = Array.from(values, (_, i) => i).sort((a, b) => at(a) - at(b));
  const found = new Float64Array(order.length);
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    while (end < order.length && at(order[end]) === at(order[start])) end++;
    for (const i of order.slice(start, end)) found[i] = (start + end - 1) / 2;
    start = end;
  }
  return found;
}

function centered(values: ArrayLike<number>): Float64Array {
  const numbers = Float64Array.from(values);
  const mean = numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  return numbers.map((value) => value - mean);
}
