import path from 'node:path';
import fc from 'fast-check';
import * as errors from '../../lib/errors';
import { SeveralStores, type StoreNeighbor } from '../../lib/search/several-stores';
import type { Column } from '../../lib/store/format';
import { writeStore } from '../store/support';
import { temporaryDirectory } from '../support/temporary-directory';
import { bruteForce } from './support';

const directory = temporaryDirectory();
const columns: Column[] = [
  { layer: 'a', width: 2 },
  { layer: 'b', width: 3 },
];

async function write(
  stores: readonly (readonly (Float32Array | undefined)[])[],
  layout = columns,
): Promise<string[]> {
  const directories = stores.map((_, i) => path.join(directory, `store_${i}`));
  for (const [i, rows] of stores.entries()) {
    await writeStore(directories[i]!, { rows: rows.length, dtype: 'float32', columns: layout }, rows);
  }
  return directories;
}

test('several stores are searched as one: both ends, ties, missing rows, unit norms, layers, any k', async () => {
  const vector = fc
    .array(fc.integer({ min: -2, max: 2 }), { minLength: 5, maxLength: 5 })
    .map((values) => Float32Array.from(values));
  const scenario = fc.record({
    stores: fc.array(fc.array(fc.option(vector, { nil: undefined }), { maxLength: 9 }), {
      minLength: 1,
      maxLength: 3,
    }),
    queries: fc.array(vector, { minLength: 1, maxLength: 3 }),
    share: fc.constantFrom(0, 0.5, 1),
    unitNorm: fc.boolean(),
    layers: fc.constantFrom(undefined, ['a'], ['b']),
  });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ stores, queries, share, unitNorm, layers }) => {
      const held = stores.flat().filter((row) => row !== undefined).length;
      fc.pre(held > 0);
      const k = Math.max(1, Math.round(share * held));
      const options = { k, unitNorm, ...(layers && { layers }) };
      const opened = await SeveralStores.open(await write(stores));
      const found = await opened.search(queries, options);
      await opened.close();
      queries.forEach((query, i) => {
        const all = stores.map((rows) => bruteForce(rows, columns, query, { ...options, k: rows.length }));
        for (const [end, sign] of [
          ['highest', 1],
          ['lowest', -1],
        ] as const) {
          const ranked = all
            .flatMap((neighbors, store) =>
              neighbors[end].map((each): StoreNeighbor => ({ ...each, score: each.score + 0, store })),
            )
            .sort((a, b) => sign * (b.score - a.score) || a.example - b.example || a.store - b.store);
          expect(found[i]?.[end]).toEqual(ranked.slice(0, k));
        }
      });
    }),
    { numRuns: 40 },
  );
});

test('stores of other columns, and more neighbors than all stores hold, are refused', async () => {
  const row = Float32Array.of(1, 2, 3, 4, 5);
  const [first = '', second = ''] = await write([[row], [row]]);
  const opened = await SeveralStores.open([first, second]);
  expect(opened.rows).toBe(2);
  await expect(opened.search([row], { k: 3 })).rejects.toThrow(errors.KTooLargeError);
  await opened.close();
  await writeStore(second, { rows: 1, dtype: 'float32', columns: [{ layer: 'a', width: 5 }] }, [row]);
  await expect(SeveralStores.open([first, second])).rejects.toThrow(errors.LayoutMismatchError);
});
