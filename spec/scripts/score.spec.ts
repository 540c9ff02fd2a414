import fs from 'node:fs';
import path from 'node:path';
import { Attributor } from '../../callbacks';
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
