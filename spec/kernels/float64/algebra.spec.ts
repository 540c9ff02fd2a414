import fc from 'fast-check';
import tf = require('@tensorflow/tfjs');
import { float64Algebra } from '../../../kernels/float64/algebra';
import { plainAlgebra } from '../../../kernels/float64/plain';
import { relativeError } from '../../support/closeness';

/** Double precision's rounding, 1e-16, summed over at most a few hundred products. */
const DOUBLE_ROUNDING = 1e-13;
/** Rounding of a result to float32, relative to its largest element. */
const FLOAT_ROUNDING = 1e-7;

const algebras = [
  { name: 'the backend’s algebra', of: float64Algebra },
  { name: 'the plain one', of: () => plainAlgebra },
];

/** The least normal float32; TensorFlow takes what is less for zero. */
const LEAST = 2 ** -126;
const value = fc
  .double({ min: -3, max: 3, noNaN: true })
  .map((number) => (Math.abs(number) < LEAST ? 0 : Math.fround(number)));
const matrix = (rows: fc.Arbitrary<number>) =>
  fc
    .tuple(rows, fc.integer({ min: 1, max: 9 }))
    .chain(([count, width]) =>
      fc
        .array(value, { minLength: count * width, maxLength: count * width })
        .map((values) => ({ count, width, values: Float32Array.from(values) })),
    );

/** Xᵀ X, by the book. */
function gram(values: Float32Array, count: number, width: number): Float64Array {
  return Float64Array.from({ length: width * width }, (_, at) => {
    const [i, j] = [Math.floor(at / width), at % width];
    let sum = 0;
    for (let row = 0; row < count; row++) sum += values[row * width + i]! * values[row * width + j]!;
    return sum;
  });
}

/** A diag(d) Bᵀ of square matrices. */
function product(a: Float64Array, d: Float64Array, b: Float64Array): Float64Array {
  const width = d.length;
  return Float64Array.from({ length: width * width }, (_, at) => {
    const [i, j] = [Math.floor(at / width), at % width];
    let sum = 0;
    for (let k = 0; k < width; k++) sum += a[i * width + k]! * d[k]! * b[j * width + k]!;
    return sum;
  });
}

/** How many tensors TensorFlow holds, of which tfjs counts only its own. */
function nativeTensors(): number {
  if (tf.getBackend() !== 'tensorflow') return 0;
  return (tf.backend() as unknown as { binding: { getNumOfTensors(): number } }).binding.getNumOfTensors();
}

describe.each(algebras)('$name', ({ of }) => {
  it('sums products of rows over several additions, in double precision', () => {
    fc.assert(
      fc.property(matrix(fc.integer({ min: 2, max: 13 })), ({ count, width, values }) => {
        const before = nativeTensors();
        const sum = of().gramSum(width);
        const split = Math.floor(count / 3) + 1;
        sum.add(values.slice(0, split * width), split);
        sum.add(values.slice(split * width), count - split);
        const found = sum.read();
        sum.dispose();
        expect(nativeTensors()).toBe(before);
        expect(relativeError(found, gram(values, count, width))).toBeLessThan(DOUBLE_ROUNDING);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps what single precision would lose: 1 beside 2^40', () => {
    const sum = of().gramSum(1);
    sum.add(Float32Array.of(2 ** 20), 1);
    sum.add(Float32Array.of(1), 1);
    expect(sum.read()[0]).toBe(2 ** 40 + 1);
    sum.dispose();
  });

  it('holds zeros before anything is added', () => {
    const sum = of().gramSum(2);
    expect([...sum.read()]).toEqual([0, 0, 0, 0]);
    sum.dispose();
  });

  it('decomposes symmetric matrices into ascending eigenvalues and orthonormal eigenvectors', () => {
    fc.assert(
      fc.property(matrix(fc.integer({ min: 1, max: 12 })), ({ count, width, values }) => {
        const before = nativeTensors();
        const symmetric = gram(values, count, width);
        const { values: eigenvalues, vectors } = of().symmetricEigen(symmetric, width);
        expect(nativeTensors()).toBe(before);
        expect([...eigenvalues]).toEqual([...eigenvalues].sort((a, b) => a - b));
        const ones = new Float64Array(width).fill(1);
        const identity = Float64Array.from({ length: width * width }, (_, at) =>
          at % (width + 1) === 0 ? 1 : 0,
        );
        expect(relativeError(product(vectors, ones, vectors), identity)).toBeLessThan(DOUBLE_ROUNDING);
        const again = product(vectors, eigenvalues, vectors);
        if (symmetric.some((entry) => entry !== 0)) {
          expect(relativeError(again, symmetric)).toBeLessThan(DOUBLE_ROUNDING);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('multiplies rows by V diag(scales) Vᵀ', () => {
    fc.assert(
      fc.property(matrix(fc.integer({ min: 1, max: 6 })), fc.infiniteStream(value), (rows, stream) => {
        const { count, width, values } = rows;
        const take = (length: number) => Float64Array.from({ length }, () => stream.next().value as number);
        const [vectors, scales] = [take(width * width), take(width)];
        const before = nativeTensors();
        const map = of().spectralMap(vectors, scales);
        const found = map.apply(values, count);
        map.dispose();
        expect(nativeTensors()).toBe(before);
        const square = product(vectors, scales, vectors);
        const expected = Float64Array.from({ length: count * width }, (_, at) => {
          const [row, j] = [Math.floor(at / width), at % width];
          let sum = 0;
          for (let i = 0; i < width; i++) sum += values[row * width + i]! * square[i * width + j]!;
          return sum;
        });
        // Sums of up to 81 products may cancel: to the largest product's scale.
        const scale = Math.max(...[...expected].map(Math.abs), 1);
        found.forEach((entry, i) => {
          expect(Math.abs(entry - expected[i]!)).toBeLessThanOrEqual(FLOAT_ROUNDING * scale);
        });
      }),
      { numRuns: 60 },
    );
  });
});
