import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import * as errors from '../../lib/errors';
import { bestScanKernel } from '../../kernels/scan/open-scanner';
import { ExactIndex, type ScanOptions } from '../../lib/search/exact';
import type { Neighbors } from '../../lib/search/gradient-index';
import type { Column, RowDtype } from '../../lib/store/format';
import { GradientStoreReader } from '../../lib/store/reader';
import { writeStore } from '../store/support';
import { temporaryDirectory } from '../support/temporary-directory';
import { bruteForce, seededNormal } from './support';

const directory = path.join(temporaryDirectory(), 'store');
const columns = [
  { layer: 'a', width: 2 },
  { layer: 'b', width: 5 },
  { layer: 'c', width: 1 },
];
const WIDTH = 8;

const KERNELS = ['native', 'wasm'] as const;
const kernels = KERNELS.filter((kernel) => kernel === 'wasm' || bestScanKernel() === 'native');
if (!kernels.includes('native')) console.warn('the native kernel is not run: the addon is not built');

interface Scenario {
  readonly rows: readonly (Float32Array | undefined)[];
  readonly queries: readonly Float32Array[];
  readonly share: number;
  readonly unitNorm: boolean;
  readonly layers: readonly string[] | undefined;
  readonly dtype: RowDtype;
}

/** Compares searches with brute force, whose scores are the same sums in float64: to the bit. */
async function check(
  scenario: Scenario,
  layout: readonly Column[],
  ...indexes: readonly ScanOptions[]
): Promise<void> {
  const { rows, queries, share, unitNorm, layers, dtype } = scenario;
  const held = rows.filter((row) => row !== undefined).length;
  fc.pre(held > 0);
  await writeStore(directory, { rows: rows.length, dtype, columns: layout }, rows);
  const store = GradientStoreReader.open(directory);
  const stored = rows.map((row, example) => row && store.row(example));
  const k = Math.min(held, 1 + Math.floor(share * held));
  const options = { k, unitNorm, ...(layers && { layers }) };
  const expected = queries.map((query) => zeroesMadePositive(bruteForce(stored, layout, query, options)));
  for (const index of indexes) {
    const exact = new ExactIndex(store, index);
    expect(await exact.search(queries, options)).toEqual(expected);
    await exact.close();
  }
  store.close();
}

const vectors = (width: number, number: fc.Arbitrary<number>) =>
  fc.array(number, { minLength: width, maxLength: width }).map((v) => Float32Array.from(v));
const scenarios = (vector: fc.Arbitrary<Float32Array>, names: string[], mostQueries: number) =>
  fc.record({
    rows: fc.array(fc.option(vector, { nil: undefined, freq: 6 }), { minLength: 1, maxLength: 40 }),
    queries: fc.array(vector, { minLength: 1, maxLength: mostQueries }),
    share: fc.constantFrom(0, 0.2, 0.5, 1),
    unitNorm: fc.boolean(),
    layers: fc.option(fc.subarray(names, { minLength: 1 }), { nil: undefined }),
    dtype: fc.constantFrom<RowDtype>('float32', 'float16'),
  });

describe.each(kernels)('the %s kernel finds what brute force finds', (kernel) => {
  test('among ties, with missing rows, rows of zeros, layers and unit norms', () => {
    // Small whole numbers: sums are exact, so ties are real and ids must match exactly.
    const vector = vectors(WIDTH, fc.integer({ min: -2, max: 2 }));
    return fc.assert(
      fc.asyncProperty(scenarios(vector, ['c', 'a', 'b'], 6), (scenario) =>
        check(scenario, columns, { kernel }),
      ),
      { numRuns: 40 },
    );
  });

  test('whatever the width, for few queries and for many', () => {
    const shape = fc.tuple(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 600 }));
    // Tiny, huge, subnormal in float16 and in float32, all within float16's range.
    const number = fc.oneof(
      fc.double({ min: -1, max: 1, noNaN: true }),
      fc.constantFrom(0, 1e-7, -6e-5, 60_000, -60_000, 1e-30),
    );
    const scenario = shape.chain(([first, second]) =>
      fc.tuple(
        fc.constant([
          { layer: 'a', width: first },
          { layer: 'b', width: second },
        ]),
        scenarios(vectors(first + second, number), ['a', 'b'], 20),
      ),
    );
    return fc.assert(
      fc.asyncProperty(scenario, ([layout, given]) => check(given, layout, { kernel })),
      { numRuns: 25 },
    );
  });

  test('in float16 whose rows have scales', () => {
    const vector = fc
      .tuple(vectors(WIDTH, fc.double({ min: -1, max: 1, noNaN: true })), fc.integer({ min: -12, max: 12 }))
      .map(([values, exponent]) => values.map((value) => value * 10 ** exponent));
    const extreme = vectors(WIDTH, fc.constantFrom(3e38, -3e38, 1e-38, 1e-45, 0));
    const scenario = scenarios(fc.oneof(vector, vector, extreme), ['a', 'b', 'c'], 6).map((given) => ({
      ...given,
      dtype: 'float16' as const,
    }));
    return fc.assert(
      fc.asyncProperty(scenario, (given) => check(given, columns, { kernel })),
      { numRuns: 25 },
    );
  });

  test('in float32 whose squares, products and sums leave the range of float32', () => {
    const number = fc.constantFrom(3e38, -3e38, 1e-38, 1e-45, -2e-25, 1e20, 0, 1);
    const vector = vectors(WIDTH, number);
    const scenario = scenarios(vector, ['a', 'b', 'c'], 6).map((given) => ({
      ...given,
      dtype: 'float32' as const,
    }));
    return fc.assert(
      fc.asyncProperty(scenario, (given) => check(given, columns, { kernel })),
      { numRuns: 40 },
    );
  });

  test('where more rows tie than there is room for, and scores differ by less than float32 shows', async () => {
    const rows = Array.from({ length: 5000 }, (_, i) => {
      if (i % 3 === 0) return new Float32Array(WIDTH);
      // Alike in float32 sums: the last column tells them apart by 2^-20 of the first.
      return Float32Array.of(i % 2 === 0 ? 1000 : -1000, 0, 0, 0, 0, 0, 0, (i % 100) * 2 ** -12);
    });
    const ones = new Float32Array(WIDTH).fill(1);
    for (const share of [0, 0.01]) {
      const scenario = {
        rows,
        queries: [ones, new Float32Array(WIDTH)],
        share,
        unitNorm: false,
        layers: undefined,
      };
      await check({ ...scenario, dtype: 'float32' }, columns, { kernel, threads: 0 });
    }
  });

  test('however many threads scan', async () => {
    const normal = seededNormal(3);
    const layout = [{ layer: 'a', width: 300 }];
    const vector = () => Float32Array.from({ length: 300 }, () => normal() * Math.exp(normal()));
    const rows = Array.from({ length: 3000 }, (_, i) => (i % 11 === 5 ? undefined : vector()));
    const scenario = { rows, queries: Array.from({ length: 9 }, vector), unitNorm: false, layers: undefined };
    const indexes = [0, 1, 2, 3].map((threads) => ({ kernel, threads }));
    await check({ ...scenario, share: 0.003, dtype: 'float16' }, layout, ...indexes);
  });

  test('and names the row that holds a number which is none', async () => {
    await writeStore(directory, { rows: 300, dtype: 'float16', columns: [{ layer: 'a', width: 4 }] }, []);
    for (const half of [0x7c00, 0x7e00, 0xfc00]) {
      const halves = new Uint16Array(1200).fill(0x3c00);
      halves[4 * 217 + 2] = half;
      fs.writeFileSync(path.join(directory, 'gradients.bin'), halves);
      fs.rmSync(path.join(directory, 'written.bin'), { force: true });
      fs.rmSync(path.join(directory, 'store.msgpack'), { force: true }); // as another program's index has it
      const store = GradientStoreReader.open(directory);
      for (const threads of [0, 1]) {
        const index = new ExactIndex(store, { kernel, threads });
        const search = index.search([Float32Array.of(1, 1, 0, 1)], { k: 3 });
        await expect(search).rejects.toThrow(errors.NonFiniteValueError);
        await expect(search).rejects.toThrow(/of example 217 holds (-?Infinity|NaN)/);
        await index.close();
      }
      store.close();
    }
  });
});

test('takes the path of a layer for all its parts, and for no layer whose path only begins alike', async () => {
  const parts = ['a.head_0', 'b', 'a.head_1', 'ab'].map((layer) => ({ layer, width: 1 }));
  const rows = [Float32Array.of(1, 10, 100, 1000), Float32Array.of(2, 20, 200, 2000)];
  await writeStore(directory, { rows: 2, dtype: 'float32', columns: parts }, rows);
  const store = GradientStoreReader.open(directory);
  const scores = async (...layers: string[]) => {
    const [found] = await new ExactIndex(store).search([Float32Array.of(1, 1, 1, 1)], { k: 2, layers });
    return found?.highest.map(({ score }) => score);
  };
  expect(await scores('a')).toEqual([202, 101]);
  expect(await scores('a', 'a.head_1', 'ab')).toEqual([2202, 1101]);
  expect(await scores('a.head_0')).toEqual([2, 1]);
  store.close();
});

function zeroesMadePositive({ highest, lowest }: Neighbors): Neighbors {
  const plain = (list: Neighbors['highest']) =>
    list.map(({ example, score }) => ({ example, score: score + 0 }));
  return { highest: plain(highest), lowest: plain(lowest) };
}

describe('on real numbers', () => {
  const rows = Array.from({ length: 23 }, (_, i) =>
    Float32Array.from({ length: WIDTH }, (__, j) => Math.sin(i * 13 + j * 7)),
  );
  const queries = Array.from({ length: 5 }, (_, i) =>
    Float32Array.from({ length: WIDTH }, (__, j) => Math.cos(i * 5 + j)),
  );
  let store: GradientStoreReader;
  beforeAll(async () => {
    await writeStore(directory, { rows: rows.length, dtype: 'float32', columns }, rows);
    store = GradientStoreReader.open(directory);
  });
  afterAll(() => {
    store.close();
  });

  test('a score does not depend, to the bit, on which other queries ride along', async () => {
    const index = new ExactIndex(store);
    const together = await index.search(queries, { k: 23 });
    for (const [i, query] of queries.entries()) {
      const [alone] = await index.search([query], { k: 23 });
      expect(together[i]).toEqual(alone);
    }
  });

  test('lowest is highest for the negated query', async () => {
    const index = new ExactIndex(store);
    const [query = new Float32Array(WIDTH)] = queries;
    const [up, down] = await index.search([query, query.map((value) => -value)], { k: 7 });
    expect(down?.highest.map(({ example }) => example)).toEqual(up?.lowest.map(({ example }) => example));
  });

  test.each([
    ['k of 0', { k: 0 }, queries, errors.KTooLargeError],
    ['k beyond the rows held', { k: 24 }, queries, errors.KTooLargeError],
    ['a query of another width', { k: 1 }, [new Float32Array(7)], errors.RowShapeError],
    ['a query with NaN', { k: 1 }, [new Float32Array(8).fill(NaN)], errors.NonFiniteValueError],
    ['an unknown layer', { k: 1, layers: ['z'] }, queries, errors.UnknownColumnError],
  ])('refuses %s', async (_, options, asked, error) => {
    await expect(new ExactIndex(store).search(asked, options)).rejects.toThrow(error);
  });

  test('answers no queries with no answers', async () => {
    await expect(new ExactIndex(store).search([], { k: 1 })).resolves.toEqual([]);
  });
});
