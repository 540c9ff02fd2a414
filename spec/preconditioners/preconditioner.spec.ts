import fc from 'fast-check';
import * as errors from '../../lib/errors';
import { AutocorrelationSum, mixAutocorrelations } from '../../lib/preconditioners/autocorrelation';
import { decompose } from '../../lib/preconditioners/decomposition';
import { Preconditioner } from '../../lib/preconditioners/preconditioner';
import { relativeError } from '../support/closeness';
import { dampedMatrix, inner, sampleRows, solve } from './support';

const columns = [
  { layer: 'a', width: 4 },
  { layer: 'b', width: 1 },
  { layer: 'c', width: 3 },
];
const WIDTH = 8;

/** Double precision's rounding times condition numbers of at most 1e4 here. */
const DOUBLE = 1e-10;
/** Rows are float32; the roundings of an inner product of two of them. */
const SINGLE = 1e-5;

const seeds = fc.integer({ min: 1, max: 2 ** 31 });
const dampings = fc.double({ min: -3, max: 3, noNaN: true }).map((exponent) => 10 ** exponent);

function autocorrelation(rows: readonly Float32Array[], of = columns) {
  const sum = new AutocorrelationSum(of);
  for (const row of rows) sum.add(row);
  const mean = sum.mean();
  sum.dispose();
  return mean;
}

function preconditioner(rows: readonly Float32Array[], damping: number): Preconditioner {
  return Preconditioner.of(decompose(autocorrelation(rows)), { damping });
}

it('is the mean of products of each layer’s columns, over examples however they come', () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 1, max: 9 }), (seed, count) => {
      const rows = sampleRows(seed, count, WIDTH);
      const block = new Float32Array(count * WIDTH);
      rows.forEach((row, i) => {
        block.set(row, i * WIDTH);
      });
      const sum = new AutocorrelationSum(columns);
      sum.add(block);
      sum.add(new Float32Array(2 * WIDTH), 0); // rows that stand for no example
      sum.add(new Float32Array(0));
      const found = sum.mean();
      sum.dispose();
      expect(found.examples).toBe(count);
      let offset = 0;
      columns.forEach(({ width }, layer) => {
        const expected = dampedMatrix(rows, offset, width, 0);
        expect(relativeError(found.matrices[layer] ?? [], expected.flat())).toBeLessThan(DOUBLE);
        offset += width;
      });
    }),
    { numRuns: 30 },
  );
});

it('solves the damped system, layer by layer', () => {
  fc.assert(
    fc.property(seeds, dampings, (seed, damping) => {
      const rows = sampleRows(seed, 30, WIDTH);
      const [query = new Float32Array(WIDTH)] = sampleRows(seed + 1, 1, WIDTH);
      const found = preconditioner(rows, damping);
      const [applied] = found.apply([query]);
      found.dispose();
      let offset = 0;
      const expected = columns.flatMap(({ width }) => {
        const matrix = dampedMatrix(rows, offset, width, damping);
        const solution = solve(matrix, query.subarray(offset, offset + width));
        offset += width;
        return solution;
      });
      expect(relativeError(applied ?? [], expected)).toBeLessThan(SINGLE);
    }),
    { numRuns: 40 },
  );
});

it('applied twice as a root is applied once as the inverse, and splits an inner product evenly', () => {
  fc.assert(
    fc.property(seeds, dampings, (seed, damping) => {
      const found = preconditioner(sampleRows(seed, 30, WIDTH), damping);
      const [left = [], right = []] = sampleRows(seed + 1, 2, WIDTH);
      const pair = [Float32Array.from(left), Float32Array.from(right)];
      const roots = found.apply(pair, 'inverse-root');
      const twice = found.apply(roots, 'inverse-root');
      const once = found.apply(pair);
      found.dispose();
      twice.forEach((row, i) => {
        expect(relativeError(row, once[i] ?? [])).toBeLessThan(SINGLE);
      });
      const scale = inner(roots[0] ?? [], roots[0] ?? []) + inner(roots[1] ?? [], roots[1] ?? []);
      const difference = inner(roots[0] ?? [], roots[1] ?? []) - inner(once[0] ?? [], right);
      expect(Math.abs(difference) / scale).toBeLessThan(SINGLE);
    }),
    { numRuns: 40 },
  );
});

it('tends to the plain inner product of each layer as damping grows, divided by the damping', () => {
  fc.assert(
    fc.property(seeds, fc.double({ min: 5, max: 9, noNaN: true }), (seed, exponent) => {
      const damping = 10 ** exponent;
      const found = preconditioner(sampleRows(seed, 20, WIDTH), damping);
      const [query = new Float32Array(WIDTH)] = sampleRows(seed + 1, 1, WIDTH);
      const [applied = new Float32Array(WIDTH)] = found.apply([query]);
      let offset = 0;
      for (const { width, damping: delta } of found.conditioning) {
        const plain = query.subarray(offset, offset + width);
        const scaled = applied.subarray(offset, offset + width).map((value) => value * delta);
        // What is left is an eigenvalue over δ: at most the layer's width over the damping.
        expect(relativeError(scaled, plain)).toBeLessThan((2 * width) / damping + SINGLE);
        offset += width;
      }
      found.dispose();
    }),
    { numRuns: 30 },
  );
});

it('does not depend on the scale of gradients: rows times c give 1/c² of the scores', () => {
  const rows = sampleRows(5, 20, WIDTH);
  const [query = new Float32Array(WIDTH)] = sampleRows(6, 1, WIDTH);
  const [plain, scaled] = [rows, rows.map((row) => row.map((value) => 4 * value))].map((given) => {
    const found = preconditioner(given, 0.1);
    const [applied = new Float32Array()] = found.apply([query]);
    found.dispose();
    return applied;
  });
  expect(
    relativeError(
      scaled ?? [],
      (plain ?? new Float32Array()).map((value) => value / 16),
    ),
  ).toBeLessThan(SINGLE);
});

it('says how each layer is conditioned', () => {
  // Autocorrelation diag(9, 1) / 2 and [8] / 2.
  const rows = [Float32Array.of(3, 0, 2), Float32Array.of(0, 1, 2)];
  const layers = [
    { layer: 'two', width: 2 },
    { layer: 'one', width: 1 },
  ];
  const found = Preconditioner.of(decompose(autocorrelation(rows, layers)), { damping: 0.2 });
  expect(found.conditioning).toEqual([
    { layer: 'two', width: 2, smallest: 0.5, mean: 2.5, largest: 4.5, damping: 0.5, condition: 5 },
    { layer: 'one', width: 1, smallest: 4, mean: 4, largest: 4, damping: 0.8, condition: 1 },
  ]);
});

it('maps a layer without gradients to zero, and says that it has no condition', () => {
  const rows = [Float32Array.of(0, 0, 1), Float32Array.of(0, 0, 2)];
  const layers = [
    { layer: 'dead', width: 2 },
    { layer: 'alive', width: 1 },
  ];
  const found = Preconditioner.of(decompose(autocorrelation(rows, layers)), { damping: 0 });
  expect(found.conditioning[0]).toMatchObject({ mean: 0, condition: null });
  expect([...(found.apply([Float32Array.of(1, 1, 5)])[0] ?? [])]).toEqual([0, 0, 2]);
  found.dispose();
});

it('mixes autocorrelations by their shares', () => {
  const [train, query] = [
    autocorrelation(sampleRows(3, 20, WIDTH)),
    autocorrelation(sampleRows(4, 5, WIDTH)),
  ];
  const mixed = mixAutocorrelations(train, query, 0.75);
  expect(mixed.examples).toBe(25);
  mixed.matrices.forEach((matrix, i) => {
    const expected = matrix.map(
      (_, j) => 0.75 * (train.matrices[i]?.[j] ?? NaN) + 0.25 * (query.matrices[i]?.[j] ?? NaN),
    );
    expect([...matrix]).toEqual([...expected]);
  });
});

describe('refuses', () => {
  const few = sampleRows(8, 2, WIDTH);

  it('to invert a singular matrix without damping, naming the layer', () => {
    const decomposition = decompose(autocorrelation(few));
    expect(() => Preconditioner.of(decomposition, { damping: 0 })).toThrow(
      errors.SingularAutocorrelationError,
    );
    expect(() => Preconditioner.of(decomposition, { damping: 0 })).toThrow(/layer `a`.*raise the damping/);
    expect(Preconditioner.of(decomposition).conditioning[0]?.condition).toBeGreaterThan(1);
  });

  it.each([-0.1, NaN, Infinity])('damping %d', (damping) => {
    expect(() => preconditioner(few, damping)).toThrow(errors.InvalidOptionError);
  });

  it('layers that are too wide to be decomposed', () => {
    expect(() => new AutocorrelationSum([{ layer: 'wide', width: 5000 }])).toThrow(
      errors.AutocorrelationWidthError,
    );
  });

  it('rows of another width', () => {
    const found = preconditioner(few, 0.1);
    expect(() => found.apply([new Float32Array(7)])).toThrow(errors.RowShapeError);
    expect(() => found.applyToBlock(new Float32Array(9))).toThrow(errors.RowShapeError);
    const sum = new AutocorrelationSum(columns);
    expect(() => {
      sum.add(new Float32Array(9));
    }).toThrow(errors.RowShapeError);
    sum.dispose();
  });

  it('a number that is not finite, naming the layer', () => {
    const sum = new AutocorrelationSum(columns);
    sum.add(Float32Array.of(1, 1, 1, 1, Infinity, 1, 1, 1));
    expect(() => sum.mean()).toThrow(/autocorrelation of gradients holds Infinity in layer `b`/);
    sum.dispose();
  });

  it('to mix autocorrelations of different layers', () => {
    const other = autocorrelation([Float32Array.of(1, 2)], [{ layer: 'a', width: 2 }]);
    expect(() => mixAutocorrelations(autocorrelation(few), other, 0.5)).toThrow(errors.LayoutMismatchError);
  });
});
