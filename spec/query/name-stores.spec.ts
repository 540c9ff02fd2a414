import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { Attributor, IncomparableRunsError, InvalidOptionError, UnknownStoreError } from '../../callbacks';
import type { Trace } from '../../lib/query/trace';
import { importIndex } from '../../lib/run/import-index';
import { writeRunManifest, type RunManifest } from '../../lib/run/run-manifest';
import { epochStore, runPaths } from '../../lib/run/run-paths';
import type { Column } from '../../lib/store/format';
import type { QueryDocument } from '../../scripts/query/document';
import { bruteForce } from '../search/support';
import { writeStore } from '../store/support';
import { runBergson } from '../support/run-bergson';
import { temporaryDirectory } from '../support/temporary-directory';

const directory = temporaryDirectory();
const COLUMNS: Column[] = [
  { layer: 'a', width: 2 },
  { layer: 'b', width: 3 },
];
type Rows = readonly (Float32Array | undefined)[];

/** A run whose epochs' stores hold these rows, and about which its manifest says this. */
async function writeRun(
  name: string,
  epochs: readonly Rows[],
  manifest: Partial<RunManifest> = {},
  columns = COLUMNS,
): Promise<string> {
  const run = path.join(directory, name);
  fs.rmSync(run, { recursive: true, force: true });
  fs.mkdirSync(run);
  for (const [epoch, rows] of epochs.entries()) {
    const layout = { rows: rows.length, dtype: 'float32', columns } as const;
    await writeStore(runPaths.store(run, epochStore(epoch)), layout, rows);
  }
  writeRunManifest(run, { ...MANIFEST, ...manifest });
  return run;
}

const LAYERS = [
  { path: 'a', className: 'Dense', gradientShape: [1, 2], fallback: false },
  { path: 'b', className: 'Dense', gradientShape: [1, 3], fallback: false },
] as const;
const MANIFEST: RunManifest = {
  created: '',
  versions: { 'tfjs-bergson': '', tfjs: '', node: '' },
  backend: '',
  examples: null,
  layers: LAYERS,
  coverage: { attributed: 5, trained: 5, layers: [] },
  projection: { projectionDim: 16, projectionType: 'rademacher', projectionTarget: 'module', seed: 0 },
  includeBias: false,
  attention: {},
  dtype: 'float32',
  normalizer: 'none',
  scaledByLearningRate: false,
  accumulate: false,
  trackOrder: false,
  optimizer: null,
  losses: [],
  frozen: null,
  state: 'complete',
  epochs: [],
  weightsDigest: 'one',
  failed: [],
};

test('every epoch of every run is ranked as one, whatever is asked, as brute force ranks them', async () => {
  const vector = fc
    .array(fc.integer({ min: -2, max: 2 }), { minLength: 5, maxLength: 5 })
    .map((values) => Float32Array.from(values));
  const scenario = fc.record({
    runs: fc.array(
      fc.array(fc.array(fc.option(vector, { nil: undefined }), { maxLength: 5 }), {
        minLength: 1,
        maxLength: 2,
      }),
      { minLength: 1, maxLength: 3 },
    ),
    queries: fc.array(vector, { minLength: 1, maxLength: 3 }),
    share: fc.constantFrom(0, 0.5, 1),
    unitNorm: fc.boolean(),
    layers: fc.constantFrom(undefined, ['a'], ['b']),
    aggregate: fc.constantFrom(undefined, 'nearest' as const),
  });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ runs, queries, share, unitNorm, layers, aggregate }) => {
      const held = runs.flat(2).filter((row) => row !== undefined).length;
      fc.pre(held > 0);
      const k = Math.max(1, Math.round(share * held));
      const options = { k, unitNorm, ...(layers && { layers }) };
      const paths: string[] = [];
      for (const [i, epochs] of runs.entries()) paths.push(await writeRun(`run_${i}`, epochs));
      const attributor = await Attributor.open(paths, { store: 'all' });
      const found = await attributor.search(queries, { ...options, aggregate });
      await attributor.close();

      const stores = runs.flatMap((epochs, run) => epochs.map((rows, epoch) => ({ run, epoch, rows })));
      const ranked = (query: number, end: 'highest' | 'lowest') =>
        stores.flatMap(({ run, epoch, rows }, store) =>
          bruteForce(rows, COLUMNS, queries[query]!, { ...options, k: rows.length })[end].map((hit) => ({
            ...hit,
            score: hit.score + 0,
            query,
            store,
            source: { run: paths[run], store: `epoch_${epoch}`, epoch },
          })),
        );
      for (const [end, sign] of [
        ['highest', 1],
        ['lowest', -1],
      ] as const) {
        const order = (a: Placed, b: Placed) =>
          sign * (b.score - a.score) || a.example - b.example || a.store - b.store || a.query - b.query;
        const each = queries.map((_, query) => ranked(query, end));
        const expected =
          aggregate === undefined
            ? each.map((hits) => hits.sort(order).slice(0, k))
            : [firstOfEach(each.flat().sort(order)).slice(0, k)];
        const told = (trace: Trace) =>
          trace[end].map(({ example, score, query, source }) => ({ example, score, query, source }));
        expect(found.map(told)).toEqual(
          expected.map((hits) =>
            hits.map(({ example, score, query, source }) => ({ example, score, query, source })),
          ),
        );
      }
    }),
    { numRuns: 30 },
  );
});

interface Placed {
  readonly example: number;
  readonly score: number;
  readonly store: number;
  readonly query: number;
}

/** Of the hits that are one row, for several queries, the first. */
function firstOfEach<Hit extends Placed>(hits: readonly Hit[]): Hit[] {
  return hits.filter(
    (hit, i) => hits.findIndex((other) => other.store === hit.store && other.example === hit.example) === i,
  );
}

const ROW = Float32Array.of(1, 2, 3, 4, 5);

test.each<[field: string, manifest: Partial<RunManifest>, says: string]>([
  [
    'layers',
    { layers: [LAYERS[0], { ...LAYERS[1], gradientShape: [3, 1] }] },
    'layers (b [1, 3] against b [3, 1])',
  ],
  ['layers', { layers: [LAYERS[0]] }, 'layers (b [1, 3] against no other)'],
  [
    'projection',
    { projection: { projectionDim: 16, projectionType: 'rademacher', projectionTarget: 'module', seed: 1 } },
    'projection (rademacher to 16 by seed 0 against rademacher to 16 by seed 1)',
  ],
  ['normalizer', { normalizer: 'adam' }, 'normalizer (none against adam)'],
  [
    'what has a row',
    { frozen: { attribute: 'tokens', lossReduction: null, model: null } },
    'each example against each token',
  ],
  [
    'an example’s loss',
    { frozen: { attribute: 'examples', lossReduction: 'sum', model: null } },
    'mean against sum',
  ],
  ['rows scaled by the learning rate', { scaledByLearningRate: true }, 'no against yes'],
  ['weights', { weightsDigest: 'other' }, 'weights (one against other); with `otherWeights`'],
])('runs that differ in their %s are not ranked together, which is said', async (field, manifest, says) => {
  const runs = [await writeRun('first', [[ROW]]), await writeRun('other', [[ROW]], manifest)];
  const asked = Attributor.open(runs);
  await expect(asked).rejects.toThrow(IncomparableRunsError);
  await expect(asked).rejects.toMatchObject({ left: runs[0], right: runs[1], field });
  await expect(asked).rejects.toThrow(says);
  const lenient = Attributor.open(runs, { otherWeights: true });
  if (field === 'weights') await (await lenient).close();
  else await expect(lenient).rejects.toThrow(IncomparableRunsError);
});

test('second moments of their own keep runs apart, unless told otherwise', async () => {
  const runs = [
    await writeRun('first', [[ROW]], { normalizer: 'adam' }),
    await writeRun('other', [[ROW]], { normalizer: 'adam' }),
  ];
  runs.forEach((run, i) => {
    fs.writeFileSync(runPaths.normalizer(run), `${i}`);
  });
  await expect(Attributor.open(runs)).rejects.toMatchObject({ field: 'second moments' });
  await (await Attributor.open(runs, { otherWeights: true })).close();
});

test('columns that only the stores tell apart are an error, too', async () => {
  const other = [
    { layer: 'a', width: 3 },
    { layer: 'b', width: 2 },
  ];
  const runs = [await writeRun('first', [[ROW]]), await writeRun('other', [[ROW]], {}, other)];
  await expect(Attributor.open(runs)).rejects.toThrow(/differ in columns/);
});

test('what cannot be several is an error', async () => {
  const run = await writeRun('first', [[ROW], [ROW]]);
  await expect(Attributor.open([])).rejects.toThrow('`runs` is empty; it must be at least one');
  await expect(Attributor.open([run, `${run}/`])).rejects.toThrow('twice; it must be of other runs each');
  await expect(Attributor.open(run, { store: ['epoch_1', 'epoch_1'] })).rejects.toThrow(InvalidOptionError);
  await expect(Attributor.open(run, { store: ['epoch_1', 'epoch_2'] })).rejects.toThrow(UnknownStoreError);
  await expect(Attributor.open(await writeRun('empty', []), { store: 'all' })).rejects.toThrow(
    UnknownStoreError,
  );
  const both = await Attributor.open(run, { store: 'all' });
  await expect(both.score([ROW], { path: path.join(directory, 'scores') })).rejects.toThrow(
    '`store` is epoch_0 and epoch_1; it must be one alone',
  );
  await both.close();
});

test('a row by its example is of the first run’s last store, and a score is taken apart in every store', async () => {
  const [first, last, elsewhere] = [1, 2, 3].map((times) => ROW.map((value) => times * value)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const runs = [
    await writeRun('first', [[first], [last]]),
    await writeRun('other', [[elsewhere, undefined, elsewhere]]),
  ];
  const attributor = await Attributor.open(runs, { store: 'all' });
  expect(attributor.row(0)).toEqual(last);
  expect(attributor.store).toBe('epoch_1');
  const scores = attributor
    .storesWith(0)
    .map((store) => attributor.explain(ROW, 0, { store }).map(({ score }) => score));
  expect(scores).toEqual([1, 2, 3].map((times) => [times * 5, times * 50]));
  expect(attributor.storesWith(2)).toEqual([2]);
  expect(() => attributor.storesWith(1)).toThrow('holds no row for example 1');
  await attributor.close();
});

test('the command line ranks runs as one, and says where each hit is from', async () => {
  const runs = [await writeRun('first', [[ROW, ROW]]), await writeRun('other', [[ROW.map((x) => 2 * x)]])];
  const args = ['query', ...runs, '--example', '1', '-k', '2', '--explain', '0'];
  const { code, stdout, stderr } = runBergson([...args, '--json']);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  const { queries, stores } = JSON.parse(stdout) as QueryDocument;
  expect(stores.map(({ run, store }) => [run, store])).toEqual(runs.map((run) => [run, 'epoch_0']));
  expect(queries[0]!.highest.map(({ example, score, source }) => [example, score, source.run])).toEqual([
    [0, 110, runs[1]],
    [0, 55, runs[0]],
  ]);
  expect(queries[0]!.explanations?.map(({ run, score }) => [run, score])).toEqual([
    [runs[0], 55],
    [runs[1], 110],
  ]);
  const printed = runBergson(args).stdout;
  expect(printed).toContain('The 2 stores are ranked as one.');
  expect(printed).toMatch(new RegExp(`highest │ +0 │ \\+110\\.0 │ ${runs[1]!} +│`));
});

test('indexes of Bergson’s that were imported are ranked as one, by rows', async () => {
  const index = path.join(__dirname, '..', 'reference', 'gpt2', 'index_raw_p8');
  const runs = ['left', 'right'].map((name) => path.join(directory, name));
  for (const run of runs) await importIndex(index, run);
  const attributor = await Attributor.open(runs);
  const [trace] = await attributor.search([attributor.row(0)], { k: 2 });
  expect(trace!.highest.map(({ example, source }) => [example, source.run])).toEqual(
    runs.map((run) => [0, run]),
  );
  await attributor.close();
});
