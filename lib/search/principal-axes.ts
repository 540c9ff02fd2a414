/** Few directions that hold most of a set of rows: the principal components of a part of them, as far as the others bear them out. */
import { plainAlgebra } from '../../kernels/float64/plain';

/** Of the largest eigenvalue: what is below is rounding. */
const NEGLIGIBLE = 1e-10;

/** Orthonormal directions, those that hold most first: [count, width]. */
export interface Axes {
  readonly count: number;
  readonly values: Float32Array;
}

/**
 * The fewest orthonormal directions, a multiple of 8 and at most `most`, that hold `share` of the squared norm of
 * `rows` [n, width] of norm 1 or 0; as many as there are, up to `most`, where none do. They are found from the even rows, and
 * what they hold is measured on the odd ones, which did not shape them.
 */
export function principalAxes(
  rows: Float32Array,
  width: number,
  { most, share }: { readonly most: number; readonly share: number },
): Axes {
  const all = Array.from({ length: rows.length / width }, (_, i) =>
    rows.subarray(i * width, (i + 1) * width),
  );
  const even = all.filter((_, i) => i % 2 === 0);
  const odd = all.filter((_, i) => i % 2 === 1);
  const measured = odd.length > 0 ? odd : even;
  const held = principalComponents(even, width, most).map((direction) => ({
    direction,
    energy: measured.reduce((sum, row) => sum + dot(row, direction) ** 2, 0),
  }));
  held.sort((a, b) => b.energy - a.energy);
  const total = measured.reduce((sum, row) => sum + dot(row, row), 0);
  let chosen = 0;
  for (let sum = 0; chosen < held.length && (sum < share * total || chosen % 8 !== 0); chosen++) {
    sum += held[chosen]?.energy ?? 0;
  }
  chosen = Math.max(1, chosen);
  const values = new Float32Array(chosen * width);
  held.slice(0, chosen).forEach(({ direction }, i) => {
    values.set(direction, i * width);
  });
  return { count: chosen, values };
}

/**
 * Up to `most` eigenvectors of Σ r rᵀ over `rows`, of the largest eigenvalues; the first unit vector if there are none. Where there are
 * fewer rows than columns, by way of the matrix of the rows' inner products, which has the same eigenvalues.
 */
function principalComponents(rows: readonly Float32Array[], width: number, most: number): Float64Array[] {
  if (rows.length === 0) return [firstUnitVector(width)];
  const dual = rows.length < width;
  const size = dual ? rows.length : width;
  const { values, vectors } = plainAlgebra.symmetricEigen(
    dual ? innerProducts(rows) : secondMoments(rows, width),
    size,
  );
  const largest = values.at(-1) ?? 0;
  const components: Float64Array[] = [];
  for (let i = size - 1; i >= 0 && components.length < most; i--) {
    const value = values[i] ?? 0;
    if (!(value > NEGLIGIBLE * largest)) break;
    const vector = Float64Array.from({ length: size }, (_, j) => vectors[j * size + i] ?? 0);
    components.push(dual ? combine(rows, vector, 1 / Math.sqrt(value), width) : vector);
  }
  return components.length > 0 ? components : [firstUnitVector(width)];
}

function firstUnitVector(width: number): Float64Array {
  const vector = new Float64Array(width);
  vector[0] = 1;
  return vector;
}

/** [n, n]. */
function innerProducts(rows: readonly Float32Array[]): Float64Array {
  const products = new Float64Array(rows.length ** 2);
  rows.forEach((row, i) => {
    for (let j = 0; j <= i; j++) {
      const product = dot(row, rows[j] ?? row);
      products[i * rows.length + j] = product;
      products[j * rows.length + i] = product;
    }
  });
  return products;
}

/** Σ r rᵀ, [width, width]. */
function secondMoments(rows: readonly Float32Array[], width: number): Float64Array {
  const moments = plainAlgebra.gramSum(width);
  for (const row of rows) moments.add(row, 1);
  return moments.read();
}

/** scale Σ weights_i r_i, [width]. */
function combine(
  rows: readonly Float32Array[],
  weights: Float64Array,
  scale: number,
  width: number,
): Float64Array {
  const sum = new Float64Array(width);
  rows.forEach((row, i) => {
    addScaled(sum, row, scale * (weights[i] ?? 0));
  });
  return sum;
}

function dot(a: Float32Array, b: Float32Array | Float64Array): number {
  let [even, odd] = [0, 0];
  for (let i = 0; i < a.length; i += 2) {
    even += (a[i] ?? 0) * (b[i] ?? 0);
    odd += (a[i + 1] ?? 0) * (b[i + 1] ?? 0);
  }
  return even + odd;
}

function addScaled(to: Float64Array, from: Float32Array, scale: number): void {
  for (let i = 0; i < to.length; i++) to[i] = (to[i] ?? 0) + scale * (from[i] ?? 0);
}
