import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import { nativeAddon } from '../../kernels/native';
import {
  projectPositions,
  projectPositionsNatively,
  projectPositionsPlainly,
  type ProjectedFactors,
} from '../../kernels/project-factors';
import { relativeError, ROUNDING, sameBits } from '../support/closeness';
import { normalNumbers } from '../support/random-tensor';
import {
  describeNative,
  eachDevice,
  INSTRUCTION_SETS,
  nativeOperations,
  useFastestInstructionSet,
  useInstructionSet,
} from './native-operations';

const MULTIPLIER = 3;

/** Sizes of one call; a side that is not projected has no size of its own. */
interface Sizes {
  readonly n: number;
  readonly s: number;
  readonly k: number;
  readonly o: number;
  readonly p: number | null;
  readonly q: number | null;
  readonly bias: boolean;
}

const size = (max: number) => fc.integer({ min: 1, max });
// Errors are relative to the largest element: of few elements all may be sums that nearly cancel.
const anySizes: fc.Arbitrary<Sizes> = fc
  .record({
    n: size(6),
    s: size(70),
    k: size(90),
    o: size(90),
    p: fc.option(size(40)),
    q: fc.option(size(40)),
    bias: fc.boolean(),
  })
  .filter(({ n, o, p, q, k }) => n * (p ?? o) * (q ?? k) >= 8);

/** What random sizes do not reach: several panels of inputs, parts of an example, examples taken together, threads. */
const LARGE: readonly Sizes[] = [
  { n: 64, s: 1, k: 784, o: 512, p: 16, q: 16, bias: true },
  { n: 37, s: 3, k: 300, o: 257, p: 16, q: 64, bias: true },
  { n: 1, s: 700, k: 130, o: 20, p: 16, q: 16, bias: true },
  { n: 2, s: 515, k: 16, o: 300, p: 33, q: null, bias: true },
  { n: 3, s: 1025, k: 64, o: 40, p: 39, q: 9, bias: false },
  { n: 9, s: 129, k: 257, o: 64, p: null, q: 8, bias: true },
  { n: 8, s: 128, k: 256, o: 1024, p: 16, q: 16, bias: false },
];

interface Values {
  readonly activations: Float32Array;
  readonly right: Float32Array;
  readonly biasRow: Float32Array;
  readonly outputGradients: Float32Array;
  readonly left: Float32Array;
}

function valuesOf({ n, s, k, o, p, q }: Sizes): Values {
  return {
    activations: normalNumbers(n * s * k, 1),
    right: normalNumbers(k * (q ?? k), 2),
    biasRow: normalNumbers(q ?? k, 3),
    outputGradients: normalNumbers(n * s * o, 4),
    left: normalNumbers(o * (p ?? o), 5),
  };
}

function tensorsOf({ n, s, k, o, p, q, bias }: Sizes, values: Values): ProjectedFactors {
  return {
    activations: tf.tensor3d(values.activations, [n, s, k]),
    right: q === null ? null : tf.tensor2d(values.right, [k, q]),
    biasRow: bias ? tf.tensor2d(values.biasRow, [1, q ?? k]) : null,
    outputGradients: tf.tensor3d(values.outputGradients, [n, s, o]),
    left: p === null ? null : tf.tensor2d(values.left, [o, p]),
    multiplier: MULTIPLIER,
  };
}

/** rows [count, columns] times matrix [columns, width], or the rows themselves, in float64. */
function product(rows: Float32Array, columns: number, matrix: Float32Array, width: number | null) {
  if (width === null) return Float64Array.from(rows);
  const result = new Float64Array((rows.length / columns) * width);
  for (let row = 0; row * columns < rows.length; row++) {
    for (let i = 0; i < columns; i++) {
      const value = rows[row * columns + i]!;
      for (let j = 0; j < width; j++) result[row * width + j]! += value * matrix[i * width + j]!;
    }
  }
  return result;
}

/** The definition, loop by loop in float64. */
function reference({ n, s, k, o, p, q, bias }: Sizes, values: Values): Float64Array {
  const projected = product(values.activations, k, values.right, q);
  const gradients = product(values.outputGradients, o, values.left, p);
  const [rows, columns] = [p ?? o, q ?? k];
  const result = new Float64Array(n * rows * columns);
  for (let at = 0; at < n * s; at++) {
    const first = Math.floor(at / s) * rows * columns;
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const input = projected[at * columns + j]! + (bias ? values.biasRow[j]! : 0);
        result[first + i * columns + j]! += MULTIPLIER * gradients[at * rows + i]! * input;
      }
    }
  }
  return result;
}

function run(project: (factors: ProjectedFactors) => tf.Tensor3D, sizes: Sizes, values: Values) {
  return tf.tidy(() => {
    const result = project(tensorsOf(sizes, values));
    expect(result.shape).toEqual([sizes.n, sizes.p ?? sizes.o, sizes.q ?? sizes.k]);
    return result.dataSync<'float32'>();
  });
}

const references = new Map<Sizes, Float64Array>();
/** The same of one of the large sizes, computed once. */
function largeReference(sizes: Sizes): Float64Array {
  const known = references.get(sizes) ?? reference(sizes, valuesOf(sizes));
  references.set(sizes, known);
  return known;
}

const natively = (factors: ProjectedFactors) => projectPositionsNatively(factors, nativeOperations());

describe('the projected gradients of a linear map', () => {
  it('are those of a float64 loop, by plain operations', () => {
    fc.assert(
      fc.property(anySizes, (sizes) => {
        const values = valuesOf(sizes);
        const found = run(projectPositionsPlainly, sizes, values);
        expect(relativeError(found, reference(sizes, values))).toBeLessThan(ROUNDING);
      }),
      { numRuns: 30 },
    );
  });

  it.each(LARGE)('are those of a float64 loop, by whichever operations serve: %j', (sizes) => {
    const found = run(projectPositions, sizes, valuesOf(sizes));
    expect(relativeError(found, largeReference(sizes))).toBeLessThan(ROUNDING);
  });

  it('leave no tensor behind', () => {
    const before = tf.memory().numTensors;
    for (const sizes of LARGE.slice(2, 6)) run(projectPositions, sizes, valuesOf(sizes));
    expect(tf.memory().numTensors).toBe(before);
  });
});

describeNative('the native projection', () => {
  afterEach(useFastestInstructionSet);

  it('knows the fastest of what this processor has, and refuses what it has not', () => {
    const addon = nativeAddon();
    const known = typeof addon === 'string' ? [] : addon.instructionSets;
    expect(known.at(-1)).toBe('baseline');
    expect(INSTRUCTION_SETS.filter((set) => known.includes(set))).toEqual(known);
    expect(INSTRUCTION_SETS.filter((set) => useInstructionSet(set))).toEqual(known);
    expect(useInstructionSet('mmx')).toBe(false);
  });

  eachDevice('agrees with a float64 loop and the plain operations', () => {
    fc.assert(
      fc.property(anySizes, (sizes) => {
        const values = valuesOf(sizes);
        const found = run(natively, sizes, values);
        expect(relativeError(found, reference(sizes, values))).toBeLessThan(ROUNDING);
        expect(relativeError(found, run(projectPositionsPlainly, sizes, values))).toBeLessThan(ROUNDING);
      }),
      { numRuns: 60 },
    );
  });

  describe.each(LARGE)('with %j', (sizes) => {
    eachDevice('agrees with a float64 loop', () => {
      const found = run(natively, sizes, valuesOf(sizes));
      expect(relativeError(found, largeReference(sizes))).toBeLessThan(ROUNDING);
    });
  });

  it.each(LARGE)('gives the same bits each time: %j', (sizes) => {
    const values = valuesOf(sizes);
    const first = run(natively, sizes, values);
    for (let i = 0; i < 10; i++) expect(sameBits(run(natively, sizes, values), first)).toBe(true);
  });

  eachDevice('gives zeros where there are no positions, and nothing where there are no examples', () => {
    const none = { n: 2, s: 0, k: 3, o: 4, p: 2, q: 2, bias: true };
    expect([...run(natively, none, valuesOf(none))]).toEqual(Array<number>(8).fill(0));
    const empty = { ...none, n: 0, s: 3 };
    expect([...run(natively, empty, valuesOf(empty))]).toEqual([]);
  });

  eachDevice('gives zeros where there are no inputs or no outputs to sum over', () => {
    const sizes = { n: 2, s: 3, k: 4, o: 0, p: 2, q: 2, bias: false };
    expect([...run(natively, sizes, valuesOf(sizes))]).toEqual(Array<number>(8).fill(0));
  });

  const good = { n: 2, s: 5, k: 6, o: 7, p: 3, q: 4, bias: true };
  const zeros = tf.zeros as (shape: number[]) => tf.Tensor;
  it.each([
    ['right', [7, 4], /right \[7, 4\] and activations \[2, 5, 6\] differ in inputs/],
    ['biasRow', [1, 5], /bias_row \[1, 5\] and right \[6, 4\] differ in columns/],
    ['biasRow', [2, 4], /bias_row \[2, 4\] is not one row/],
    ['left', [8, 3], /left \[8, 3\] and output_gradients \[2, 5, 7\] differ in outputs/],
    ['activations', [3, 5, 6], /activations \[3, 5, 6\] and output_gradients \[2, 5, 7\] differ in examples/],
    ['outputGradients', [2, 4, 7], /activations \[2, 5, 6\] and .* \[2, 4, 7\] differ in positions/],
    ['activations', [10, 6], /activations \[10, 6\] and output_gradients \[2, 5, 7\] differ in examples/],
    ['activations', [6], /activations \[6\] is of a rank below 2/],
    ['left', [7], /left \[7\] is not of rank 2/],
  ] as const)('refuses %s of shape %j', (name, shape, message) => {
    const failing = () =>
      tf.tidy(() => natively({ ...tensorsOf(good, valuesOf(good)), [name]: zeros([...shape]) }));
    expect(failing).toThrow(message);
    expect(failing).toThrow('BergsonProjectFactors');
  });

  it('refuses integers', () => {
    const failing = () => {
      tf.tidy(() => {
        const factors = tensorsOf(good, valuesOf(good));
        natively({ ...factors, activations: factors.activations.toInt() });
      });
    };
    expect(failing).toThrow(/float/);
  });

  it('leaves integers to the plain operations', () => {
    tf.tidy(() => {
      const factors = tensorsOf({ ...good, bias: false }, valuesOf(good));
      const activations = tf.ones<tf.Rank.R3>([2, 5, 6], 'int32');
      const found = projectPositions({ ...factors, activations });
      expect(found.shape).toEqual([2, 3, 4]);
    });
  });
});
