import fs from 'node:fs';
import path from 'node:path';
import {
  Attributor,
  GradientStoreReader,
  InvalidConfigError,
  resolveTrackstar,
  Run,
  runTrackstar,
  type TrackstarConfig,
} from '../../callbacks';
import { readTrackstar } from '../../lib/build/trackstar';
import { openParquet } from '../../lib/datasets/parquet';
import { autocorrelationOf, mixAutocorrelations } from '../../lib/preconditioners/autocorrelation';
import { decompose } from '../../lib/preconditioners/decomposition';
import { Preconditioner } from '../../lib/preconditioners/preconditioner';
import { relativeError } from '../support/closeness';
import { writeJsonl } from '../datasets/support';
import { temporaryDirectory } from '../support/temporary-directory';
import { ROWS, silent, writeModel } from './support';

const directory = temporaryDirectory();
const model = writeModel(directory);
const dataset = writeJsonl(directory, 'corpus.jsonl', ROWS);
const queries = writeJsonl(directory, 'queries.jsonl', [
  { text: 'The lazy dog and the quick fox.' },
  { text: 'To be, or not to be' },
]);
/** Float32 rows, of which the preconditioned ones were rounded once more on disk. */
const ROUNDED_TWICE = 1e-5;

function config(run: string): TrackstarConfig {
  const build = { run: path.join(directory, run), model, dataset, textColumn: 'text', projectionDim: 4 };
  return resolveTrackstar({ build: { ...build, modules: ['h.0.**'], index: false }, queries }, 'the spec');
}

/** Rows that are there, by id. */
function rowsOf(run: Run): Map<number, Float32Array> {
  const store = GradientStoreReader.open(run.storeDirectory('static'));
  const ids = Array.from({ length: store.rows }, (_, id) => id).filter((id) => store.isWritten(id));
  const rows = new Map(ids.map((id) => [id, store.row(id)]));
  store.close();
  return rows;
}

async function autocorrelation(run: Run) {
  const store = GradientStoreReader.open(run.storeDirectory('static'));
  const found = await autocorrelationOf(store);
  store.close();
  return found;
}

function cosine(left: Float32Array, right: Float32Array): number {
  const inner = (a: Float32Array, b: Float32Array) =>
    a.reduce((sum, value, i) => sum + value * (b[i] ?? NaN), 0);
  return inner(left, right) / Math.sqrt(inner(left, left) * inner(right, right));
}

async function readScores(file: string): Promise<Record<string, number>[]> {
  const source = openParquet(file);
  const rows: Record<string, number>[] = [];
  for await (const row of source.rows(0, await source.count(Infinity), undefined)) {
    rows.push(row as Record<string, number>);
  }
  return rows;
}

it('scores by the cosine of gradients that both sides were preconditioned, and can be run again', async () => {
  const outcome = await runTrackstar(config('run'), silent);
  const [examples, asked] = [outcome.examples.run, outcome.queries.run];
  // Both sides were divided by the same second moments.
  const [ours, theirs] = [examples, asked].map((run) =>
    fs.readFileSync(path.join(run.path, 'normalizer.safetensors')),
  );
  expect(theirs?.equals(ours ?? Buffer.alloc(0))).toBe(true);
  const mixed = mixAutocorrelations(await autocorrelation(examples), await autocorrelation(asked), 0.9);
  const preconditioner = Preconditioner.of(decompose(mixed), { damping: 0.1 });
  const toH = (rows: Map<number, Float32Array>) => preconditioner.apply([...rows.values()], 'inverse-root');
  const [left, right] = [toH(rowsOf(examples)), toH(rowsOf(asked))];
  preconditioner.dispose();
  const found = await readScores(outcome.scores.path);
  expect(found.map(({ example }) => example)).toEqual([...rowsOf(examples).keys()]);
  const scores = found.flatMap(({ score_0 = NaN, score_1 = NaN }) => [score_0, score_1]);
  const expected = left.flatMap((example) => right.map((query) => cosine(example, query)));
  expect(relativeError(scores, expected)).toBeLessThan(ROUNDED_TWICE);
  // The second query is the last row of the corpus: nothing else can be as near.
  const second = found.map(({ score_1 = NaN }) => score_1);
  expect(second.indexOf(Math.max(...second))).toBe(found.length - 1);
  expect(Math.max(...second)).toBeCloseTo(1, 5);

  const kept = readTrackstar(path.join(examples.path, 'trackstar.yaml'));
  const build = { ...(kept.build as object), run: path.join(directory, 'again') };
  const again = await runTrackstar(resolveTrackstar({ ...kept, build }, 'the file'), silent);
  expect(fs.readFileSync(again.scores.path).equals(fs.readFileSync(outcome.scores.path))).toBe(true);
  const same = await runTrackstar(config('run'), silent);
  expect(same.examples.computed + same.queries.computed).toBe(0);

  const attributor = await Attributor.open(examples.path, { store: outcome.store });
  const [trace] = await attributor.search([attributor.row(0)], { k: 1, unitNorm: true });
  await attributor.close();
  expect(trace?.highest[0]?.example).toBe(0);
});

it.each([
  [{ queries: 3 }, '`queries`'],
  [{ queries, share: 2 }, 'from 0 to 1'],
  [{ queries, damping: 0 }, 'above 0'],
  [{ queries, shares: 1 }, '`shares`'],
])('names what will not do: %j', (given, message) => {
  const build = { run: 'run', model, dataset };
  const resolve = () => resolveTrackstar({ build, ...given }, 'the spec');
  expect(resolve).toThrow(InvalidConfigError);
  expect(resolve).toThrow(message);
});
