import path from 'node:path';
import { ExactIndex } from '../../lib/search/exact';
import { selfInfluence } from '../../lib/influence/self-influence';
import { bakeStore } from '../../lib/preconditioners/bake';
import { fitPreconditioner } from '../../lib/preconditioners/fit';
import { QueryPreconditioning } from '../../lib/preconditioners/query-preconditioning';
import { GradientStoreReader } from '../../lib/store/reader';
import { dampedMatrix, inner, sampleRows, solve } from '../preconditioners/support';
import { writeStore } from '../store/support';
import { temporaryDirectory } from '../support/temporary-directory';

const directory = path.join(temporaryDirectory(), 'store');
const WIDTH = 6;
const columns = [{ layer: 'dense', width: WIDTH }];
const rows = sampleRows(2, 30, WIDTH);
const held = rows.filter((_, i) => i !== 4);
const DAMPING = 0.2;
/** Rows are float32. */
const SINGLE = 1e-5;

const matrix = dampedMatrix(held, 0, WIDTH, DAMPING);
const influence = (left: Float32Array, right: Float32Array) => inner(solve(matrix, left), right);

it('is g H⁻¹ g, the squared norm without a preconditioner, and NaN where there is no row', async () => {
  await writeStore(
    directory,
    { rows: rows.length, dtype: 'float32', columns },
    rows.map((row, i) => (i === 4 ? undefined : row)),
  );
  const store = GradientStoreReader.open(directory);
  const { preconditioner } = await fitPreconditioner(store, { damping: DAMPING });
  const [plain, preconditioned] = [await selfInfluence(store), await selfInfluence(store, preconditioner)];
  rows.forEach((row, i) => {
    if (i === 4) {
      expect([plain[i], preconditioned[i]]).toEqual([NaN, NaN]);
      return;
    }
    expect(Math.abs(plain[i]! / inner(row, row) - 1)).toBeLessThan(SINGLE);
    expect(Math.abs(preconditioned[i]! / influence(row, row) - 1)).toBeLessThan(SINGLE);
  });
  preconditioner.dispose();
  store.close();
});

it('makes RelatIF of a store of preconditioned rows: unit norms there divide by its root', async () => {
  const store = GradientStoreReader.open(directory);
  await bakeStore(store, `${directory}.preconditioned`);
  const baked = GradientStoreReader.open(`${directory}.preconditioned`);
  const preconditioning = QueryPreconditioning.open(baked, false);
  const [query = new Float32Array()] = sampleRows(9, 1, WIDTH);
  const index = new ExactIndex(baked);
  const [found] = await index.search(preconditioning.toStoreRows([query]), {
    k: held.length,
    unitNorm: true,
  });
  for (const { example, score } of found?.highest ?? []) {
    const row = rows[example]!;
    const expected = influence(query, row) / Math.sqrt(influence(row, row));
    expect(Math.abs(score - expected)).toBeLessThan(SINGLE * Math.sqrt(influence(query, query)));
  }
  expect(found?.highest).toHaveLength(held.length);
  preconditioning.close();
  await index.close();
  baked.close();
  store.close();
});
