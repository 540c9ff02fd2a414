import fs from 'node:fs';
import path from 'node:path';
import { OutputExistsError, ScoresMismatchError } from '../../callbacks';
import { openParquet } from '../../lib/datasets/parquet';
import { scoreStore, type ScoreOptions } from '../../lib/scores/score-store';
import { columnRanges, ExactIndex } from '../../lib/search/exact';
import type { RowDtype } from '../../lib/store/format';
import { GradientStoreReader } from '../../lib/store/reader';
import { seededNormal } from '../search/support';
import { writeStore } from '../store/support';
import { temporaryDirectory } from '../support/temporary-directory';

const directory = temporaryDirectory();
const ROWS = 300;
const columns = [
  { layer: 'one', width: 5 },
  { layer: 'two.head_0', width: 3 },
  { layer: 'two.head_1', width: 4 },
];
const normal = seededNormal(5);
const queries = [0, 1, 2].map(() => Float32Array.from({ length: 12 }, normal));
const MISSING = [7, 8, 299];
let files = 0;

async function makeStore(
  dtype: RowDtype,
  missing: readonly number[] = MISSING,
): Promise<GradientStoreReader> {
  const store = path.join(directory, `store-${files++}`);
  const rows = Array.from({ length: ROWS }, (_, i) =>
    missing.includes(i) ? undefined : Float32Array.from({ length: 12 }, normal),
  );
  await writeStore(store, { rows: ROWS, dtype, columns }, rows);
  return GradientStoreReader.open(store);
}

function score(store: GradientStoreReader, options: Partial<ScoreOptions> = {}, asked = queries) {
  const out = path.join(directory, `scores-${files++}`);
  return scoreStore(store, asked, columnRanges(store, options.layers), { path: out, ...options });
}

/** Scores and flags of the `count` scores a row, read as `info.json` says. */
function readScores(scores: string): (number | undefined)[][] {
  const info = JSON.parse(fs.readFileSync(path.join(scores, 'info.json'), 'utf8')) as {
    num_rows: number;
    num_scores: number;
    dtype: { offsets: number[]; itemsize: number };
  };
  const bytes = fs.readFileSync(path.join(scores, 'scores.bin'));
  const { offsets, itemsize } = info.dtype;
  expect(bytes.length).toBe(info.num_rows * itemsize);
  return Array.from({ length: info.num_rows }, (_, row) =>
    Array.from({ length: info.num_scores }, (_, i) => {
      const written = bytes[row * itemsize + offsets[2 * i + 1]!] === 1;
      return written ? bytes.readFloatLE(row * itemsize + offsets[2 * i]!) : undefined;
    }),
  );
}

/** What exact search says: [rows][queries], undefined for rows that are not there. */
async function searched(store: GradientStoreReader, options: Partial<ScoreOptions>) {
  const index = new ExactIndex(store, { threads: 0 });
  const { layers, unitNorm } = options;
  const found = await index.search(queries, { k: store.rowsWritten, layers, unitNorm });
  await index.close();
  const rows: (number | undefined)[][] = Array.from({ length: ROWS }, () => queries.map(() => undefined));
  found.forEach(({ highest }, query) => {
    for (const { example, score } of highest) rows[example]![query] = Math.fround(score);
  });
  return rows;
}

describe.each(['float32', 'float16'] as const)('scores of a %s store', (dtype) => {
  it.each([{}, { layers: ['two'] }, { unitNorm: true }, { layers: ['one', 'two.head_1'], unitNorm: true }])(
    'are those of exact search to the bit: %j',
    async (options) => {
      const store = await makeStore(dtype);
      const summary = await score(store, options);
      expect(summary).toMatchObject({ rows: ROWS, scored: ROWS - 3, computed: ROWS - 3, queries: 3 });
      expect(readScores(summary.path)).toEqual(await searched(store, options));
      store.close();
    },
  );

  it('of the nearest query are the highest of all', async () => {
    const store = await makeStore(dtype);
    const [nearest, each] = [await score(store, { aggregate: 'nearest' }), await score(store)];
    const highest = readScores(each.path).map((scores) => [
      scores[0] === undefined ? undefined : Math.max(...(scores as number[])),
    ]);
    expect(readScores(nearest.path)).toEqual(highest);
    store.close();
  });
});

it('are the same as JSON lines and as Parquet, without the rows that are not there', async () => {
  const store = await makeStore('float32');
  const expected = readScores((await score(store)).path)
    .map((scores, example) => ({ example, scores }))
    .filter(({ example }) => !MISSING.includes(example));

  const lines = await score(store, { path: path.join(directory, 'scores.jsonl'), format: 'jsonl' });
  const text = fs.readFileSync(lines.path, 'utf8').trimEnd();
  expect(text.split('\n').map((line) => JSON.parse(line) as unknown)).toEqual(expected);

  const table = await score(store, { path: path.join(directory, 'scores.parquet'), format: 'parquet' });
  const source = openParquet(table.path);
  const rows: unknown[] = [];
  for await (const row of source.rows(0, await source.count(Infinity), undefined)) rows.push(row);
  expect(rows).toEqual(
    expected.map(({ example, scores: [score_0, score_1, score_2] }) => ({
      example,
      score_0,
      score_1,
      score_2,
    })),
  );
  const left = fs.readdirSync(directory).filter((name) => /\.(part|tmp)$/.test(name));
  expect(left).toEqual([]);
  store.close();
});

describe('a call that was interrupted', () => {
  // Blocks of a row each, so that there is something to interrupt.
  const stop = (after: number) => (rows: number) => {
    if (rows > after) throw new Error('stopped');
  };

  it('leaves what it scored, and the same call goes on to the same bytes', async () => {
    const store = await makeStore('float32', []);
    const whole = await score(store);
    const wide = GradientStoreReader.open(store.directory);
    const blocks = wide.blocks.bind(wide);
    wide.blocks = () => blocks(48 * 10);
    const out = path.join(directory, 'resumed');
    await expect(score(wide, { path: out, onProgress: stop(100) })).rejects.toThrow('stopped');
    expect(fs.existsSync(out)).toBe(false);
    const again = await score(wide, { path: out });
    expect(again).toMatchObject({ scored: ROWS, computed: ROWS - 110 });
    for (const file of ['scores.bin', 'info.json']) {
      expect(fs.readFileSync(path.join(out, file))).toEqual(fs.readFileSync(path.join(whole.path, file)));
    }
    store.close();
    wide.close();
  });

  it('is not gone on with by other queries or options', async () => {
    const store = await makeStore('float32', []);
    const out = path.join(directory, 'other');
    await expect(score(store, { path: out, onProgress: stop(0) })).rejects.toThrow('stopped');
    await expect(score(store, { path: out, unitNorm: true })).rejects.toThrow(ScoresMismatchError);
    await expect(score(store, { path: out }, queries.slice(1))).rejects.toThrow(ScoresMismatchError);
    expect(await score(store, { path: out })).toMatchObject({ scored: ROWS });
    await expect(score(store, { path: out })).rejects.toThrow(OutputExistsError);
    store.close();
  });
});
