import fs from 'node:fs';
import path from 'node:path';
import { bestScanKernel } from '../../kernels/scan/open-scanner';
import * as errors from '../../lib/errors';
import { wilsonLowerBound, type RecallCertificate } from '../../lib/search/certificate';
import { ExactIndex } from '../../lib/search/exact';
import { readIndexRecord } from '../../lib/search/hnsw-format';
import { readProjectedRecord } from '../../lib/search/projected-format';
import { buildIndex, openIndex } from '../../lib/search/open-index';
import { ProjectedIndex, buildProjected } from '../../lib/search/projected';
import { GradientStoreReader } from '../../lib/store/reader';
import { GradientStoreWriter } from '../../lib/store/writer';
import { writeStore } from '../store/support';
import { temporaryDirectory } from '../support/temporary-directory';
import { seededNormal } from './support';

const directory = path.join(temporaryDirectory(), 'store');
const ROWS = 4200;
const WIDTH = 32;
const normal = seededNormal(7);

/** A store of rows with heavy-tailed norms around a few directions, so small that in float16 they have scales; every seventh row is missing. */
async function writeHeavyTailed(target: string): Promise<void> {
  const layout = { rows: ROWS, dtype: 'float16', columns: [{ layer: 'dense', width: WIDTH }] } as const;
  const writer = GradientStoreWriter.create(target, layout, { overwrite: true });
  const examples = Int32Array.from({ length: ROWS }, (_, i) => i).filter((i) => i % 7 !== 3);
  const rows = new Float32Array(examples.length * WIDTH);
  for (let i = 0; i < examples.length; i++) {
    const scale = 1e-6 * Math.exp(normal());
    for (let j = 0; j < WIDTH; j++) rows[i * WIDTH + j] = scale * normal();
  }
  writer.write(examples, rows);
  await writer.close();
}

const queries = Array.from({ length: 6 }, () => Float32Array.from({ length: WIDTH }, normal));

beforeAll(async () => {
  await writeHeavyTailed(directory);
});

describe.each(['projected', 'hnsw'] as const)('the %s index', (engine) => {
  const progress: number[] = [];
  let certificate: RecallCertificate | undefined;
  beforeAll(async () => {
    const options = { engine, certificate: { queries: 100 } };
    const built = await buildIndex(directory, { ...options, onProgress: (rows) => progress.push(rows) });
    certificate = built.certificate;
  });

  test('reports every row it takes in', () => {
    expect(progress.at(-1)).toBe(ROWS - Math.ceil((ROWS - 3) / 7));
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(progress.length).toBeGreaterThan(1);
  });

  test('gives exact scores of rows that were written, best first at both ends', async () => {
    const opened = await openIndex(directory, { engine });
    expect(opened.engine).toBe(engine);
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
    expect(certificate?.recall).toBeGreaterThan(0.95);
    await opened.close();
    await expect(opened.index.search(queries, { k: 1 })).rejects.toThrow(errors.ClosedError);
  });

  test('answers exactly what it cannot itself', async () => {
    const opened = await openIndex(directory, { engine });
    const exact = new ExactIndex(opened.store);
    for (const options of [
      { k: 3, unitNorm: true },
      { k: 3, layers: ['dense'] },
      { k: opened.store.rowsWritten },
    ]) {
      expect(await opened.index.search(queries, options)).toEqual(await exact.search(queries, options));
    }
    const zero = [new Float32Array(WIDTH)];
    const [found] = await opened.index.search(zero, { k: 3 });
    expect(found?.highest.map(({ score }) => score)).toEqual([0, 0, 0]);
    expect([found]).toEqual(await exact.search(zero, { k: 3 }));
    const mixed = [...queries.slice(0, 1), ...zero, ...queries.slice(1, 2)];
    const apart = await Promise.all(mixed.map((query) => opened.index.search([query], { k: 3 })));
    expect(await opened.index.search(mixed, { k: 3 })).toEqual(apart.flat());
    await expect(opened.index.search(queries, { k: ROWS })).rejects.toThrow(errors.KTooLargeError);
    await opened.close();
  });

  test('is not opened when a bit of its file changed, or it is cut short', async () => {
    const file = path.join(directory, 'index', engine === 'hnsw' ? 'hnsw.bin' : 'projected.bin');
    const bytes = fs.readFileSync(file);
    const offset = bytes.length - 100;
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
    fs.writeFileSync(file, bytes);
    await expect(openIndex(directory, { engine })).rejects.toThrow(/sha256/);
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
    fs.writeFileSync(file, bytes.subarray(1));
    await expect(openIndex(directory, { engine })).rejects.toThrow(/expected bytes/);
    fs.writeFileSync(file, bytes);
  });

  test('is refused by a store with other gradients', async () => {
    const other = `${directory}_other_${engine}`;
    await writeHeavyTailed(other);
    fs.cpSync(path.join(directory, 'index'), path.join(other, 'index'), { recursive: true });
    const store = GradientStoreReader.open(other);
    const read = engine === 'hnsw' ? readIndexRecord : readProjectedRecord;
    expect(() => read(store)).toThrow(errors.IndexMismatchError);
    store.close();
    expect(await openIndex(other)).toMatchObject({ engine: 'exact' });
  });
});

test('the projected index gives the same answers by any kernel and number of threads', async () => {
  const store = GradientStoreReader.open(directory);
  const record = readProjectedRecord(store) ?? (await buildProjected(store));
  const answers = [];
  for (const kernel of new Set([bestScanKernel(), 'wasm' as const])) {
    for (const threads of [0, 1, 2, 3]) {
      const index = ProjectedIndex.open(store, record, { kernel, threads });
      answers.push(await index.search(queries, { k: 10 }));
      await index.close();
    }
  }
  for (const answer of answers) expect(answer).toEqual(answers[0]);
  store.close();
});

test('what settles how an index searches is measured with other queries than what certifies it', async () => {
  const target = `${directory}_halved`;
  const layout = { rows: 31, dtype: 'float32', columns: [{ layer: 'a', width: 2 }] } as const;
  await writeStore(
    target,
    layout,
    Array.from({ length: 31 }, () => Float32Array.of(normal(), normal())),
  );
  const { certificate } = await buildIndex(target);
  expect(certificate?.queries).toBe(16);
});

test('rows without few directions, or norms that tell them apart, are searched exactly', async () => {
  const [rows, width] = [4000, 300];
  const target = `${directory}_isotropic`;
  const layout = { rows, dtype: 'float16', columns: [{ layer: 'a', width }] } as const;
  const made = Array.from({ length: rows }, () => Float32Array.from({ length: width }, normal));
  await writeStore(target, layout, made);
  const built = await buildIndex(target, { certificate: { queries: 60 } });
  expect(built).toMatchObject({ dimension: 128, deviations: 12 });
  expect(built.certificate?.lowerBound).toBeLessThan(0.95);
  const opened = await openIndex(target);
  expect(opened).toMatchObject({ engine: 'exact', reason: expect.stringMatching(/short of 0.95/) as string });
  await opened.close();
});

describe('left to choose', () => {
  beforeAll(async () => {
    await buildIndex(directory);
  });

  test('the projected index serves when its certificate says so, and says why', async () => {
    const opened = await openIndex(directory);
    expect(opened).toMatchObject({ engine: 'projected' });
    expect(opened.reason).toMatch(/recall@10 of the index is (1|0\.9\d*)/);
    await opened.close();
  });

  test('exact search serves where the recall asked for is not certain', async () => {
    const opened = await openIndex(directory, { recall: 0.999 });
    expect(opened).toMatchObject({ engine: 'exact' });
    expect(opened.reason).toMatch(/short of 0.999/);
    await opened.close();
  });

  test('enough queries are measured for the recall asked for to be certain', async () => {
    const { certificate } = await buildIndex(directory, { recall: 0.99 });
    expect(certificate?.lowerBound).toBeGreaterThan(0.99);
    expect(await openIndex(directory, { recall: 0.99 })).toMatchObject({ engine: 'projected' });
  });

  test('a damaged index means exact search, with the reason', async () => {
    const file = path.join(directory, 'index', 'projected.bin');
    const bytes = fs.readFileSync(file);
    bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
    fs.writeFileSync(file, bytes);
    const opened = await openIndex(directory);
    expect(opened).toMatchObject({ engine: 'exact' });
    expect(opened.reason).toMatch(/sha256/);
    await opened.close();
  });
});

test('a projection keeps few numbers where rows have few directions', async () => {
  const [rows, width, directions] = [5000, 200, 5];
  const basis = Array.from({ length: directions }, () => Float32Array.from({ length: width }, normal));
  const target = `${directory}_few`;
  const layout = { rows, dtype: 'float16', columns: [{ layer: 'a', width }] } as const;
  const made = Array.from({ length: rows }, () => {
    const row = new Float32Array(width);
    for (const direction of basis) {
      const part = normal();
      direction.forEach((value, i) => (row[i] = (row[i] ?? 0) + part * value));
    }
    return row;
  });
  await writeStore(target, layout, made);
  const built = await buildIndex(target, { recall: 0.99 });
  expect(built).toMatchObject({ dimension: 8, deviations: 1.5 });
  expect(built.certificate?.recall).toBe(1);
});

test('an index over unit rows answers unitNorm searches', async () => {
  const target = `${directory}_unit`;
  await writeHeavyTailed(target);
  const record = await buildIndex(target, {
    projection: { unitNorm: true },
    certificate: { queries: 50 },
  });
  expect(record.certificate?.recall).toBeGreaterThan(0.9);
  const opened = await openIndex(target, { engine: 'projected' });
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
