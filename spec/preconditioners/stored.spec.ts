import fs from 'node:fs';
import path from 'node:path';
import * as errors from '../../lib/errors';
import { bakeStore } from '../../lib/preconditioners/bake';
import { fitPreconditioner } from '../../lib/preconditioners/fit';
import { preconditionerPaths, readPreconditioner } from '../../lib/preconditioners/preconditioner-files';
import { QueryPreconditioning } from '../../lib/preconditioners/query-preconditioning';
import type { RowDtype } from '../../lib/store/format';
import { GradientStoreReader } from '../../lib/store/reader';
import { TokenOffsets } from '../../lib/store/token-offsets';
import { SafetensorsFile } from '../../lib/store/safetensors';
import { GradientStoreWriter } from '../../lib/store/writer';
import { writeStore } from '../store/support';
import { relativeError } from '../support/closeness';
import { temporaryDirectory } from '../support/temporary-directory';
import { dampedMatrix, inner, sampleRows, solve } from './support';

const root = temporaryDirectory();
const columns = [
  { layer: 'first', width: 5 },
  { layer: 'second.head_0', width: 2 },
];
const WIDTH = 7;
const ROWS = 40;
/** Two float32 rows and their inner product, relative to the norms. */
const SINGLE = 1e-5;
/** Rows rounded to float16. */
const HALF = 2e-3;

let stores = 0;

/** A closed store, of which every fifth row is missing. */
async function makeStore(seed = 1, { dtype = 'float32' }: { dtype?: RowDtype } = {}) {
  const directory = path.join(root, `store-${stores++}`);
  const all = sampleRows(seed, ROWS, WIDTH);
  const rows = all.map((row, example) => (example % 5 === 3 ? undefined : row));
  await writeStore(directory, { rows: ROWS, dtype, columns }, rows);
  return { directory, held: rows.flatMap((row) => row ?? []), rows };
}

/** q H⁻¹ g by elimination. */
function influence(
  rows: readonly Float32Array[],
  damping: number,
  query: Float32Array,
  row: Float32Array,
): number {
  let offset = 0;
  let sum = 0;
  for (const { width } of columns) {
    const matrix = dampedMatrix(rows, offset, width, damping);
    const end = offset + width;
    sum += inner(solve(matrix, query.subarray(offset, end)), row.subarray(offset, end));
    offset = end;
  }
  return sum;
}

it('is fitted to the rows that a store holds, and read back to the bit', async () => {
  const { directory, held } = await makeStore();
  const store = GradientStoreReader.open(directory);
  const told: string[] = [];
  const { record, preconditioner, fitted } = await fitPreconditioner(store, {
    damping: 0.3,
    onProgress: (what, done, total) => told.push(`${what} ${done}/${total}`),
  });
  expect(fitted).toBe(true);
  expect(told).toEqual(['rows 40/40', 'layers 1/2', 'layers 2/2']);
  expect(record).toMatchObject({ damping: 0.3, examples: 32, columns, queries: null });
  const read = readPreconditioner(store);
  expect(read.record).toEqual(record);
  expect(read.preconditioner.decomposition).toEqual(preconditioner.decomposition);
  const [query = new Float32Array(), row = new Float32Array()] = sampleRows(9, 2, WIDTH);
  const [applied = []] = read.preconditioner.apply([query]);
  const expected = influence(held, 0.3, query, row);
  expect(Math.abs(inner(applied, row) / expected - 1)).toBeLessThan(SINGLE);
  read.preconditioner.dispose();
  store.close();
});

it('lies on disk as the format says', async () => {
  const { directory } = await makeStore();
  const store = GradientStoreReader.open(directory);
  await fitPreconditioner(store);
  store.close();
  const file = SafetensorsFile.open(path.join(directory, 'preconditioner', 'decomposition.safetensors'));
  const found = [...file.entries].map(([name, { dtype, shape }]) => [name, { dtype, shape }]);
  file.close();
  expect(Object.fromEntries(found)).toEqual({
    'eigenvalues/first': { dtype: 'F64', shape: [5] },
    'eigenvectors/first': { dtype: 'F64', shape: [5, 5] },
    'eigenvalues/second.head_0': { dtype: 'F64', shape: [2] },
    'eigenvectors/second.head_0': { dtype: 'F64', shape: [2, 2] },
  });
});

it('is damped anew without going over the rows, unless forced', async () => {
  const { directory } = await makeStore();
  const store = GradientStoreReader.open(directory);
  await fitPreconditioner(store, { damping: 0.1 });
  const silent = () => {
    throw new Error('went over the rows');
  };
  expect(await fitPreconditioner(store, { damping: 0.1, onProgress: silent })).toMatchObject({
    fitted: false,
  });
  const again = await fitPreconditioner(store, { damping: 0.5, onProgress: silent });
  expect(again).toMatchObject({ fitted: false, record: { damping: 0.5 } });
  expect(readPreconditioner(store).record.damping).toBe(0.5);
  expect(await fitPreconditioner(store, { damping: 0.5, force: true })).toMatchObject({ fitted: true });
  store.close();
});

it('mixes the autocorrelation of queries in, and knows one mixture from another', async () => {
  const [train, queries] = [await makeStore(1), await makeStore(2)];
  const [store, other] = [train, queries].map(({ directory }) => GradientStoreReader.open(directory)) as [
    GradientStoreReader,
    GradientStoreReader,
  ];
  const { record, preconditioner } = await fitPreconditioner(store, {
    damping: 0,
    queries: { store: other, share: 0.6 },
  });
  expect(record.queries).toMatchObject({ examples: 32, share: 0.6 });
  const [query = new Float32Array()] = sampleRows(9, 1, WIDTH);
  const [applied = []] = preconditioner.apply([query]);
  let offset = 0;
  const expected = columns.flatMap(({ width }) => {
    const [own, others] = [train, queries].map(({ held }) => dampedMatrix(held, offset, width, 0));
    const mixed = own?.map((row, i) => row.map((value, j) => 0.6 * value + 0.4 * (others?.[i]?.[j] ?? NaN)));
    offset += width;
    return solve(mixed ?? [], query.subarray(offset - width, offset));
  });
  expect(relativeError(applied, expected)).toBeLessThan(SINGLE);
  const fitted = async (share: number | null) =>
    (await fitPreconditioner(store, { queries: share === null ? null : { store: other, share } })).fitted;
  expect([await fitted(0.6), await fitted(0.5), await fitted(null)]).toEqual([false, true, true]);
  preconditioner.dispose();
  store.close();
  other.close();
});

describe.each([
  ['float32', SINGLE],
  ['float16', HALF],
] as const)('a baked store in %s', (dtype, tolerance) => {
  it('scores as queries times the inverse do, holds the same examples, and its norms are after preconditioning', async () => {
    const { directory, held, rows } = await makeStore(1, { dtype });
    const store = GradientStoreReader.open(directory);
    await fitPreconditioner(store, { damping: 0.2 });
    const target = `${directory}.preconditioned`;
    await bakeStore(store, target);
    const baked = GradientStoreReader.open(target);
    expect(baked).toMatchObject({ state: 'complete', rows: ROWS, rowsWritten: 32, dtype });
    expect(await baked.verify()).toHaveLength(4);
    expect(baked.manifest?.preconditioned).toMatchObject({ power: 'inverse-root', damping: 0.2 });
    const [query = new Float32Array()] = sampleRows(9, 1, WIDTH);
    const preconditioning = QueryPreconditioning.open(baked, false);
    expect(preconditioning.applied).toBe('rows');
    const [asked = new Float32Array()] = preconditioning.toStoreRows([query]);
    expect(preconditioning.toQueries([asked], { unitNorm: true })).toEqual([asked]);
    rows.forEach((row, example) => {
      expect(baked.isWritten(example)).toBe(row !== undefined);
      if (row === undefined) return;
      const expected = influence(held, 0.2, query, row);
      const self = influence(held, 0.2, row, row);
      const scale = Math.sqrt(self * influence(held, 0.2, query, query));
      expect(Math.abs(inner(baked.row(example), asked) - expected) / scale).toBeLessThan(tolerance);
      expect(Math.abs((baked.norms().rows[example] ?? NaN) ** 2 / self - 1)).toBeLessThan(2 * tolerance);
    });
    preconditioning.close();
    baked.close();
    store.close();
  });
});

it('keeps which rows are of which example where each token has one', async () => {
  const directory = path.join(root, `store-${stores++}`);
  const offsets = TokenOffsets.of([3, 2]);
  const layout = { rows: 5, examples: 2, dtype: 'float32', columns } as const;
  const writer = GradientStoreWriter.create(directory, layout, { offsets });
  sampleRows(1, 5, WIDTH).forEach((row, i) => {
    writer.write(Int32Array.of(i), row);
  });
  await writer.close();
  const store = GradientStoreReader.open(directory);
  await fitPreconditioner(store);
  await bakeStore(store, `${directory}.preconditioned`);
  const baked = GradientStoreReader.open(`${directory}.preconditioned`);
  expect(baked.tokens).toEqual(store.tokens);
  expect(await baked.verify()).toContain('offsets.npy');
  baked.close();
  store.close();
});

it('replaces what was baked before, with its preconditioner', async () => {
  const { directory } = await makeStore();
  const store = GradientStoreReader.open(directory);
  const target = `${directory}.preconditioned`;
  for (const damping of [0.1, 10]) {
    await fitPreconditioner(store, { damping });
    await bakeStore(store, target);
    const baked = GradientStoreReader.open(target);
    expect(baked.manifest?.preconditioned?.damping).toBe(damping);
    expect(readPreconditioner(baked).record.damping).toBe(damping);
    baked.close();
  }
  expect(fs.existsSync(`${target}.next`)).toBe(false);
  store.close();
});

describe('cannot be', () => {
  it('applied twice: baked, fitted or asked for where rows are preconditioned', async () => {
    const { directory } = await makeStore();
    const store = GradientStoreReader.open(directory);
    await fitPreconditioner(store);
    await bakeStore(store, `${directory}.preconditioned`);
    store.close();
    const baked = GradientStoreReader.open(`${directory}.preconditioned`);
    await expect(fitPreconditioner(baked)).rejects.toThrow(errors.AlreadyPreconditionedError);
    await expect(bakeStore(baked, `${directory}.twice`)).rejects.toThrow(errors.AlreadyPreconditionedError);
    expect(() => QueryPreconditioning.open(baked, true)).toThrow(errors.AlreadyPreconditionedError);
    expect(fs.existsSync(`${directory}.twice.next`)).toBe(false);
    baked.close();
  });

  it('combined with norms of rows from before', async () => {
    const { directory } = await makeStore();
    const store = GradientStoreReader.open(directory);
    expect(() => QueryPreconditioning.open(store, true)).toThrow(errors.PreconditionerNotFoundError);
    await fitPreconditioner(store);
    const preconditioning = QueryPreconditioning.open(store, true);
    expect(preconditioning.applied).toBe('queries');
    const rows = sampleRows(3, 1, WIDTH);
    expect(preconditioning.toStoreRows(rows)).toBe(rows);
    expect(() => preconditioning.toQueries(rows, { unitNorm: true })).toThrow(/`unitNorm`.*--bake/);
    preconditioning.close();
    store.close();
  });

  it('of other rows, or of a damaged file', async () => {
    const [{ directory }, other] = [await makeStore(1), await makeStore(2)];
    const store = GradientStoreReader.open(directory);
    await fitPreconditioner(store);
    const { directory: files, decomposition } = preconditionerPaths(directory);
    fs.cpSync(files, preconditionerPaths(other.directory).directory, { recursive: true });
    const mismatched = GradientStoreReader.open(other.directory);
    expect(() => readPreconditioner(mismatched)).toThrow(/sha256 of gradients.bin/);
    expect(await fitPreconditioner(mismatched)).toMatchObject({ fitted: true });
    mismatched.close();
    const bytes = fs.readFileSync(decomposition);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    fs.writeFileSync(decomposition, bytes);
    expect(() => readPreconditioner(store)).toThrow(errors.PreconditionerMismatchError);
    fs.rmSync(decomposition);
    expect(() => readPreconditioner(store)).toThrow(errors.PreconditionerMismatchError);
    store.close();
  });

  it('of a store whose writer never finished, nor outlive one that is written anew', async () => {
    const { directory } = await makeStore();
    const store = GradientStoreReader.open(directory);
    await fitPreconditioner(store);
    store.close();
    const layout = { rows: 2, dtype: 'float32', columns } as const;
    GradientStoreWriter.create(directory, layout, { overwrite: true }).abort();
    expect(fs.existsSync(preconditionerPaths(directory).directory)).toBe(false);
    const unfinished = GradientStoreReader.open(directory);
    await expect(fitPreconditioner(unfinished)).rejects.toThrow(errors.IncompleteStoreError);
    unfinished.close();
  });
});
