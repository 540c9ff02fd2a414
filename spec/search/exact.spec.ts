import path from 'node:path';
import fc from 'fast-check';
import * as errors from '../../lib/errors';
import { ExactIndex, scoreExamples } from '../../lib/search/exact';
import type { Neighbors } from '../../lib/search/gradient-index';
import type { RowDtype } from '../../lib/store/format';
import { GradientStoreReader } from '../../lib/store/reader';
import { writeStore } from '../store/support';
import { temporaryDirectory } from '../support/temporary-directory';
import { bruteForce } from './support';

const directory = path.join(temporaryDirectory(), 'store');
const columns = [
  { layer: 'a', width: 2 },
  { layer: 'b', width: 5 },
  { layer: 'c', width: 1 },
];
const WIDTH = 8;

/** The same examples in the same order, scores alike up to the last bits of a division. */
function expectAlike(found: Neighbors, expected: Neighbors): void {
  for (const end of ['highest', 'lowest'] as const) {
    expect(found[end].map(({ score }) => score)).toEqual(
      expected[end].map(({ score }) => expect.closeTo(score, 4) as number),
    );
  }
}

test('finds what brute force finds: ties, several queries, missing rows, layers, unit norms, float16', () => {
  // Small whole numbers: sums are exact, so ties are real and ids must match exactly.
  const vector = fc
    .array(fc.integer({ min: -2, max: 2 }), { minLength: WIDTH, maxLength: WIDTH })
    .map((v) => Float32Array.from(v));
  const scenario = fc.record({
    rows: fc.array(fc.option(vector, { nil: undefined, freq: 6 }), { minLength: 1, maxLength: 30 }),
    queries: fc.array(vector, { minLength: 1, maxLength: 5 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    unitNorm: fc.boolean(),
    layers: fc.option(fc.subarray(['c', 'a', 'b'], { minLength: 1 }), { nil: undefined }),
    dtype: fc.constantFrom<RowDtype>('float32', 'float16'),
  });
  return fc.assert(
    fc.asyncProperty(scenario, async ({ rows, queries, share, unitNorm, layers, dtype }) => {
      const held = rows.filter((row) => row !== undefined).length;
      fc.pre(held > 0);
      await writeStore(directory, { rows: rows.length, dtype, columns }, rows);
      const store = GradientStoreReader.open(directory);
      const options = { k: Math.max(1, Math.round(share * held)), unitNorm, ...(layers && { layers }) };
      const found = await new ExactIndex(store).search(queries, options);
      store.close();
      expect(found).toHaveLength(queries.length);
      queries.forEach((query, i) => {
        const expected = bruteForce(rows, columns, query, options);
        const neighbors = found[i] ?? { highest: [], lowest: [] };
        if (unitNorm) expectAlike(neighbors, expected);
        else expect(neighbors).toEqual(zeroesMadePositive(expected));
      });
    }),
    { numRuns: 150 },
  );
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
      const ranked = alone?.highest ?? [];
      const scores = scoreExamples(
        store,
        query,
        ranked.map(({ example }) => example),
      );
      expect([...scores]).toEqual(ranked.map(({ score }) => score));
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
