/**
 * Sums of squared per-example gradients over a batch, for each weight or over rows and columns, from what gradients
 * are made of. All run inside the caller's `tf.tidy`.
 *
 * Of a linear map, G_n = Σ_s d_ns a_nsᵀ. A row's sum of squares follows from inner products between positions,
 * Σ_i G_noi² = Σ_st d_nso d_nto (a_ns·a_nt), a column's from those of output gradients, and no gradient is formed. Where
 * positions are many and the map is small, as in a convolution's first layer, tiles of gradients take less work: they are
 * formed, squared and dropped. Either way memory is that of the factors and of one block, whatever the weight's size.
 */
import tf = require('@tensorflow/tfjs');
import type { Factors } from '../layers/factors';
import { wholeFactors, type OneHotFactors, type PlainFactors } from './whole-factors';

/** Numbers in a block of inner products, or of gradients, that is formed at one time. */
const BLOCK = 1 << 22;

/** Sums over the examples of a batch, and over inputs or outputs. */
export interface SquaredSums {
  /** Σ_n Σ_i G_noi², float32 [O]. */
  readonly rows: tf.Tensor1D;
  /** Σ_n Σ_o G_noi², float32 [I]. */
  readonly columns: tf.Tensor1D;
}

/** Row and column sums of the squared gradients [O, I] that all calls of a part make. */
export function squaredSums(
  factors: readonly Factors[],
  [, inputs]: readonly [outputs: number, inputs: number],
): SquaredSums {
  const whole = wholeFactors(factors, inputs);
  if ('gradient' in whole) return sumsOf(whole.gradient.square().sum<tf.Tensor2D>(0));
  if ('ids' in whole) {
    const squares = squaresById(whole); // [N S, O]
    return { rows: squares.sum(0), columns: scatterIds(whole, squares.sum(1), inputs) };
  }
  const { activations, outputGradients } = whole;
  const [, positions, columns] = activations.shape;
  const outputs = outputGradients.shape[2];
  if (positions === 1) {
    const [a, d] = squaresOfOne(whole);
    return {
      rows: tf.dot(a.sum(1), d) as tf.Tensor1D,
      columns: tf.dot(d.sum(1), a) as tf.Tensor1D,
    };
  }
  if (2 * positions * (outputs + columns) < outputs * columns) {
    return {
      rows: quadraticSums(activations, outputGradients),
      columns: quadraticSums(outputGradients, activations),
    };
  }
  const tiles = squaredTiles(whole, (squares) => sumsOf(squares));
  return {
    rows: tf.concat1d(tiles.map(({ rows }) => rows)),
    columns: addAll(tiles.map(({ columns }) => columns)),
  };
}

/** Σ_n G_noi², float32 [O, I], of the gradients that all calls of a part make. */
export function squaredGradients(
  factors: readonly Factors[],
  [, inputs]: readonly [outputs: number, inputs: number],
): tf.Tensor2D {
  const whole = wholeFactors(factors, inputs);
  if ('gradient' in whole) return whole.gradient.square().sum(0);
  if ('ids' in whole) return scatterIds(whole, squaresById(whole), inputs).transpose<tf.Tensor2D>();
  if (whole.activations.shape[1] === 1) {
    const [a, d] = squaresOfOne(whole);
    return tf.matMul(d, a, true, false);
  }
  return tf.concat2d(
    squaredTiles(whole, (squares) => squares),
    0,
  );
}

function sumsOf(squares: tf.Tensor2D): SquaredSums {
  return { rows: squares.sum(1), columns: squares.sum(0) };
}

/** The squares of the factors of gradients that are one outer product each: [N, I] and [N, O]. */
function squaresOfOne({ activations, outputGradients }: PlainFactors): [tf.Tensor2D, tf.Tensor2D] {
  return [activations.squeeze<tf.Tensor2D>([1]).square(), outputGradients.squeeze<tf.Tensor2D>([1]).square()];
}

/** Σ_n Σ_st y_nsc y_ntc (x_ns·x_nt) for x [N, S, K] and y [N, S, C]: [C]. */
function quadraticSums(x: tf.Tensor3D, y: tf.Tensor3D): tf.Tensor1D {
  const [examples, positions] = x.shape;
  const sums: tf.Tensor1D[] = [];
  for (const [first, count] of steps(examples, BLOCK / positions ** 2)) {
    const [xs, ys] = [x.slice(first, count), y.slice(first, count)];
    for (const [start, size] of steps(positions, BLOCK / positions)) {
      sums.push(
        tf.tidy(() => {
          const products = tf.matMul(xs.slice([0, start], [-1, size]), xs, false, true); // [n, s, S]
          return tf
            .matMul(products, ys)
            .mul(ys.slice([0, start], [-1, size]))
            .sum<tf.Tensor1D>([0, 1]);
        }),
      );
    }
  }
  // What rounding made of a sum of squares that is zero may lie below it.
  return addAll(sums).relu();
}

/** What `use` makes of Σ_n G_noi² for some outputs at a time, [o, I], the first outputs first. */
function squaredTiles<T extends tf.Tensor | SquaredSums>(
  { activations, outputGradients }: PlainFactors,
  use: (squares: tf.Tensor2D) => T,
): T[] {
  const [examples, , inputs] = activations.shape;
  return steps(outputGradients.shape[2], BLOCK / inputs).map(([start, size]) =>
    use(
      addAll(
        steps(examples, BLOCK / inputs / size).map(([first, count]) =>
          tf.tidy(() => {
            const d = outputGradients.slice([first, 0, start], [count, -1, size]);
            const gradients = tf.matMul(d, activations.slice(first, count), true, false); // [n, o, I]
            return gradients.square().sum<tf.Tensor2D>(0);
          }),
        ),
      ),
    ),
  );
}

/**
 * Squares that, added up by id, are those of the gradient's columns: at each position that of the sum of d over all
 * positions of the example with the same id, divided by how many there are. [N S, O].
 */
function squaresById({ ids, outputGradients }: OneHotFactors): tf.Tensor2D {
  const [examples, positions, outputs] = outputGradients.shape;
  const blocks = steps(examples, BLOCK / positions ** 2).map(([first, count]) =>
    tf.tidy(() => {
      const block = ids.slice(first, count);
      const same = tf.equal<tf.Tensor3D>(block.expandDims(2), block.expandDims(1)).toFloat(); // [n, S, S]
      const sums = tf.matMul<tf.Tensor3D>(same, outputGradients.slice(first, count)); // [n, S, O]
      return sums.square().div<tf.Tensor3D>(same.sum(2, true));
    }),
  );
  return tf.concat3d(blocks, 0).reshape([examples * positions, outputs]);
}

/** The values [N S, ...] of positions added up by their ids: [inputs, ...]. */
function scatterIds<T extends tf.Tensor>({ ids }: OneHotFactors, values: T, inputs: number): T {
  return tf.unsortedSegmentSum<T>(values, ids.flatten(), inputs);
}

function addAll<T extends tf.Tensor>(tensors: T[]): T {
  return tensors.length === 1 ? (tensors[0] as T) : tf.addN(tensors);
}

/** From 0 to `total` in steps of `size` rounded down, or of one: each with its start and its length. */
function steps(total: number, size: number): [start: number, length: number][] {
  const step = Math.max(1, Math.floor(size));
  return Array.from({ length: Math.ceil(total / step) }, (_, i) => [
    i * step,
    Math.min(step, total - i * step),
  ]);
}
