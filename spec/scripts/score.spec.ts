import fs from 'node:fs';
import path from 'node:path';
import {
  Attributor,
  GradientStoreReader,
  Run,
  selfInfluence,
  selfInfluenceOverTraining,
  tracIn,
} from '../../callbacks';
import type { ScoreSummary } from '../../lib/scores/score-store';
import { relativeError, ROUNDING } from '../support/closeness';
import { runBergson } from '../support/run-bergson';
import { denseCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';
import { trainRun } from '../support/trained-run';

const directory = temporaryDirectory();

interface ScoredLine {
  readonly example: number;
  readonly scores: number[];
}

it('scores the rows of a run, and data without a store, by the run’s own model', async () => {
  const trained = await trainRun(directory, denseCase);
  const { run, model, xs, ys } = trained;
  const [inputs, targets] = [xs.arraySync() as number[][], ys.arraySync() as number[][]];
  const lines = (first: number, end: number) =>
    inputs.slice(first, end).map((x, i) => JSON.stringify({ x, y: targets[first + i] }));
  const queries = path.join(directory, 'queries.jsonl');
  const data = path.join(directory, 'data.jsonl');
  fs.writeFileSync(queries, lines(0, 2).join('\n'));
  fs.writeFileSync(data, lines(0, 20).join('\n'));
  const score = (name: string, ...args: string[]): ScoredLine[] => {
    const out = path.join(directory, name);
    const { code, stdout, stderr } = runBergson([
      ...['score', run, '--queries', queries, '--out', out, '--json'],
      ...args,
    ]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(JSON.parse(stdout) as ScoreSummary).toMatchObject({ scored: 20, computed: 20, queries: 2 });
    const text = fs.readFileSync(out, 'utf8').trimEnd();
    return text.split('\n').map((line) => JSON.parse(line) as ScoredLine);
  };

  const attributor = await Attributor.open(run);
  const asked = await attributor.queryRows(model, { xs: xs.slice(0, 2), ys: ys.slice(0, 2) });
  const scored = score('scores.jsonl');
  const traces = await attributor.search(asked, { k: 20 });
  traces.forEach(({ highest }, query) => {
    const expected = highest.toSorted((a, b) => a.example - b.example).map((hit) => hit.score);
    const found = scored.map(({ scores }) => scores[query]!);
    expect(relativeError(found, expected)).toBeLessThan(ROUNDING);
  });

  // Of data, gradients are the model's as it is, not those of training.
  const now = await attributor.queryRows(model, { xs, ys });
  score('data-scores.jsonl', '--data', data).forEach(({ example, scores }, i) => {
    expect(example).toBe(i);
    const expected = asked.map((query) => query.reduce((sum, value, j) => sum + value * now[i]![j]!, 0));
    expect(relativeError(scores, expected)).toBeLessThan(ROUNDING);
  });
  await attributor.close();

  const { code, stderr } = runBergson(['score', run, '--queries', queries, '--out', queries]);
  expect(stderr).toMatch(/queries\.jsonl exists already/);
  expect(code).toBe(1);
});

describe('without a query of the model', () => {
  let run: string;
  let files = 0;
  beforeAll(async () => {
    ({ run } = await trainRun(directory, denseCase));
    expect(runBergson(['precondition', run, '--bake']).code).toBe(0);
  });

  /** The scores of the only query, by example. */
  function score(...args: string[]): number[] {
    const out = path.join(directory, `influence-${files++}.jsonl`);
    const { code, stdout, stderr } = runBergson(['score', run, ...args, '--out', out, '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = fs.readFileSync(out, 'utf8').trimEnd().split('\n');
    const scores = lines.map((line) => (JSON.parse(line) as ScoredLine).scores[0] ?? NaN);
    const summary = JSON.parse(stdout) as ScoreSummary & { highest?: { example: number; score: number }[] };
    expect(summary).toMatchObject({ scored: 20, queries: 1 });
    if (args.includes('--self')) {
      const highest = [...scores.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0)).slice(0, 10);
      expect(summary.highest?.map(({ example }) => example)).toEqual(highest);
    }
    return scores;
  }

  it('scores examples by themselves, in a store, over training, and under a preconditioner', async () => {
    const store = GradientStoreReader.open(Run.open(run).storeDirectory());
    const plain = await selfInfluence(store);
    store.close();
    const baked = GradientStoreReader.open(Run.open(run).storeDirectory('epoch_1.preconditioned'));
    const squares = baked.norms().rows.map((norm) => norm ** 2);
    baked.close();
    expect(score('--self')).toEqual([...Float32Array.from(plain)]);
    expect(score('--self', '--tracin')).toEqual([
      ...Float32Array.from(await selfInfluenceOverTraining(Run.open(run))),
    ]);
    // Rows of float32, of which each square is taken once more.
    expect(relativeError(score('--self', '--precondition'), squares)).toBeLessThan(ROUNDING);
    expect(relativeError(score('--self', '--store', 'epoch_1.preconditioned'), squares)).toBeLessThan(
      ROUNDING,
    );
  });

  it('scores by training examples, over training, and as RelatIF', async () => {
    const [over] = await tracIn(Run.open(run), [7]);
    expect(score('--example', '7', '--tracin')).toEqual([...Float32Array.from(over ?? [])]);
    const preconditioned = score('--example', '7', '--precondition');
    const self = score('--self', '--precondition');
    const expected = preconditioned.map((value, i) => value / Math.sqrt(self[i] ?? NaN));
    expect(relativeError(score('--example', '7', '--relatif'), expected)).toBeLessThan(10 * ROUNDING);
    expect(preconditioned[7]).toBeGreaterThan(0);
  });

  it.each([
    [['--self', '--example', '1'], /Score by one of --queries, --example and --self/],
    [['--queries', 'q.jsonl', '--tracin'], /--tracin takes training examples/],
    [['--self', '--unit-norm'], /go with none of --aggregate, --data, --layers and --unit-norm/],
  ])('refuses %j', (args, message) => {
    const { code, stderr } = runBergson(['score', run, '--out', 'nowhere.jsonl', ...args]);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  it('names what RelatIF needs', () => {
    const asked = ['score', run, '--example', '7', '--store', 'epoch_0', '--relatif', '--out', 'nowhere'];
    expect(runBergson(asked).stderr).toMatch(
      /no store epoch_0.preconditioned, which `bergson precondition .* --bake` makes/,
    );
  });
});
