import fs from 'node:fs';
import path from 'node:path';
import * as errors from '../../lib/errors';
import { wilsonLowerBound } from '../../lib/search/certificate';
import { ExactIndex } from '../../lib/search/exact';
import { readIndexRecord } from '../../lib/search/hnsw-format';
import { buildIndex, openIndex } from '../../lib/search/open-index';
import { GradientStoreReader } from '../../lib/store/reader';
import { GradientStoreWriter } from '../../lib/store/writer';
import { temporaryDirectory } from '../support/temporary-directory';
import { seededNormal } from './support';

const directory = path.join(temporaryDirectory(), 'store');
const graph = path.join(directory, 'index', 'hnsw.bin');
const ROWS = 2000;
const WIDTH = 32;
const normal = seededNormal(7);

/** A store of rows with heavy-tailed norms around a few directions; every seventh row is missing. */
async function writeHeavyTailed(target: string): Promise<void> {
  const layout = { rows: ROWS, dtype: 'float32', columns: [{ layer: 'dense', width: WIDTH }] } as const;
  const writer = GradientStoreWriter.create(target, layout, { overwrite: true });
  const examples = Int32Array.from({ length: ROWS }, (_, i) => i).filter((i) => i % 7 !== 3);
  const rows = new Float32Array(examples.length * WIDTH);
  for (let i = 0; i < examples.length; i++) {
    const scale = Math.exp(normal());
    for (let j = 0; j < WIDTH; j++) rows[i * WIDTH + j] = scale * normal();
  }
  writer.write(examples, rows);
  await writer.close();
}

const queries = Array.from({ length: 6 }, () => Float32Array.from({ length: WIDTH }, normal));

beforeAll(async () => {
  await writeHeavyTailed(directory);
});

describe('an index', () => {
  const progress: number[] = [];
  beforeAll(async () => {
    await buildIndex(directory, { certificate: { queries: 100 }, onProgress: (rows) => progress.push(rows) });
  });

  test('reports every row it takes in', () => {
    expect(progress.at(-1)).toBe(ROWS - Math.ceil((ROWS - 3) / 7));
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(progress.length).toBeGreaterThan(4);
  });

  test('is chosen when its certificate says so, and says why', async () => {
    const opened = await openIndex(directory);
    expect(opened).toMatchObject({ engine: 'hnsw' });
    expect(opened.reason).toMatch(/recall@10 of the index is (1|0\.9\d*)/);
    await opened.close();
  });

  test('gives exact scores of rows that were written, best first at both ends', async () => {
    const opened = await openIndex(directory, { engine: 'hnsw' });
    const found = await opened.index.search(queries, { k: 10 });
    const exact = await new ExactIndex(opened.store).search(queries, { k: opened.store.rowsWritten });
    let hits = 0;
    found.forEach((neighbors, i) => {
      const scores = new Map(exact[i]?.highest.map(({ example, score }) => [example, score]));
      for (const end of ['highest', 'lowest'] as const) {
        for (const { example, score } of neighbors[end]) expect(score).toBe(scores.get(example));
        const best = new Set(exact[i]?.[end].slice(0, 10).map(({ example }) => example));
        hits += neighbors[end].filter(({ example }) => best.has(example)).length;
        const sign = end === 'highest' ? 1 : -1;
        const listed = neighbors[end].map(({ score }) => sign * score);
        expect(listed).toEqual([...listed].sort((a, b) => b - a));
      }
    });
    expect(hits / (queries.length * 20)).toBeGreaterThan(0.95);
    await opened.close();
    await expect(opened.index.search(queries, { k: 1 })).rejects.toThrow(errors.ClosedError);
  });

  test('answers exactly what its graph cannot', async () => {
    const opened = await openIndex(directory, { engine: 'hnsw' });
    const exact = new ExactIndex(opened.store);
    for (const options of [
      { k: 3, unitNorm: true },
      { k: 3, layers: ['dense'] },
      { k: opened.store.rowsWritten },
    ]) {
      expect(await opened.index.search(queries, options)).toEqual(await exact.search(queries, options));
    }
    const zero = [new Float32Array(WIDTH)];
    expect(await opened.index.search(zero, { k: 3 })).toEqual(await exact.search(zero, { k: 3 }));
    await expect(opened.index.search(queries, { k: ROWS })).rejects.toThrow(errors.KTooLargeError);
    await opened.close();
  });

  test('is not used below the threshold', async () => {
    const opened = await openIndex(directory, { threshold: 1.01 });
    expect(opened).toMatchObject({ engine: 'exact' });
    expect(opened.reason).toMatch(/short of 1.01/);
    await opened.close();
  });

  test('is not used when a bit of its graph changed', async () => {
    const bytes = fs.readFileSync(graph);
    const offset = bytes.length - 100;
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
    fs.writeFileSync(graph, bytes);
    await expect(openIndex(directory, { engine: 'hnsw' })).rejects.toThrow(errors.IndexMismatchError);
    const opened = await openIndex(directory);
    expect(opened).toMatchObject({ engine: 'exact' });
    expect(opened.reason).toMatch(/sha256/);
    await opened.close();
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
    fs.writeFileSync(graph, bytes.subarray(1));
    expect((await openIndex(directory)).reason).toMatch(/expected bytes/);
    fs.writeFileSync(graph, bytes);
  });

  test('is refused by a store with other gradients', async () => {
    const other = `${directory}_other`;
    await writeHeavyTailed(other);
    fs.cpSync(path.join(directory, 'index'), path.join(other, 'index'), { recursive: true });
    const store = GradientStoreReader.open(other);
    expect(() => readIndexRecord(store)).toThrow(errors.IndexMismatchError);
    store.close();
    expect(await openIndex(other)).toMatchObject({ engine: 'exact' });
  });
});

test('an index over unit rows answers unitNorm searches', async () => {
  const target = `${directory}_unit`;
  await writeHeavyTailed(target);
  const record = await buildIndex(target, { settings: { unitNorm: true }, certificate: { queries: 50 } });
  expect(record.certificate?.recall).toBeGreaterThan(0.9);
  const opened = await openIndex(target, { engine: 'hnsw' });
  const [found] = await opened.index.search(queries, { k: 1, unitNorm: true });
  const [exact] = await new ExactIndex(opened.store).search(queries, { k: 1, unitNorm: true });
  expect(found?.highest).toEqual(exact?.highest);
  await opened.close();
});

test('a store without an index is searched exactly', async () => {
  const target = `${directory}_bare`;
  await writeHeavyTailed(target);
  const opened = await openIndex(target);
  expect(opened).toMatchObject({ engine: 'exact', reason: expect.stringMatching(/no index/) as string });
  await opened.close();
});

test('no index is built of a store that was never closed', async () => {
  const target = `${directory}_killed`;
  const layout = { rows: 1, dtype: 'float32', columns: [{ layer: 'a', width: 1 }] } as const;
  GradientStoreWriter.create(target, layout).abort();
  await expect(buildIndex(target)).rejects.toThrow(errors.IncompleteStoreError);
  expect(await openIndex(target)).toMatchObject({ engine: 'exact' });
});

test('stores of no rows and of one can be indexed', async () => {
  for (const rows of [0, 1]) {
    const target = `${directory}_${rows}_rows`;
    const layout = { rows, dtype: 'float32', columns: [{ layer: 'a', width: 2 }] } as const;
    const writer = GradientStoreWriter.create(target, layout);
    if (rows === 1) writer.write(Int32Array.of(0), Float32Array.of(1, 2));
    await writer.close();
    const record = await buildIndex(target);
    expect(record.count).toBe(rows);
    await (await openIndex(target)).close();
  }
});

test("the lower bound is Wilson's", () => {
  // 19 of 20 at one-sided 95 %: (0.95 + z²/40 - z sqrt(0.95*0.05/20 + z²/1600)) / (1 + z²/20)
  expect(wilsonLowerBound(0.95, 20)).toBeCloseTo(0.8035, 3);
  expect(wilsonLowerBound(1, 200)).toBeCloseTo(0.98665, 4);
  expect(wilsonLowerBound(0, 0)).toBe(0);
});
