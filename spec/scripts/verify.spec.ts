import fs from 'node:fs';
import path from 'node:path';
import { GradientCollectorCallback, prepareForGradientCollection, type Verification } from '../../callbacks';
import { runBergson } from '../support/run-bergson';
import { denseCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';

const EXAMPLES = 30;
const directory = temporaryDirectory();
const run = path.join(directory, 'run');
const queries = path.join(directory, 'queries.jsonl');
const examples = path.join(directory, 'examples.jsonl');

beforeAll(async () => {
  const model = prepareForGradientCollection(denseCase.build());
  const { xs, ys } = denseCase.data(EXAMPLES);
  const collector = new GradientCollectorCallback({ path: run, index: false });
  await model.fit(xs, ys, { epochs: 2, batchSize: 10, verbose: 0, callbacks: [collector] });
  const [x, y] = [xs.arraySync() as number[][], ys.arraySync() as number[][]];
  write(queries, [{ x: x[4], y: y[4] }]);
  // Every other example, so that its number is not its line's.
  write(
    examples,
    x.flatMap((_, example) => (example % 2 === 0 ? [{ example, x: x[example], y: y[example] }] : [])),
  );
});

function write(file: string, lines: readonly object[]): void {
  fs.writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

it('unlearns the examples at both ends and some between, and finds their scores right', () => {
  const { code, stdout } = runBergson([
    ...['verify', run, '--input', queries, '--examples', examples, '--count', '9', '--json'],
  ]);
  expect(code).toBe(0);
  const { examples: found, predicted } = JSON.parse(stdout) as Verification;
  expect(found).toHaveLength(9);
  expect(found.every(({ example }) => example % 2 === 0 && example < EXAMPLES)).toBe(true);
  expect(found[0]?.example).toBe(4); // the query itself
  expect(predicted.spearman).toBeGreaterThan(0.99);
  expect(predicted.pearson).toBeGreaterThan(0.99);
});

it('draws what it measured', () => {
  const { code, stdout } = runBergson(['verify', run, '--input', queries, '--examples', examples]);
  expect(code).toBe(0);
  expect(stdout).toContain('15 training examples of');
  expect(stdout).toMatch(/exact gradients predict what was measured: Spearman (1\.0000|0\.99\d\d), Pearson/);
  expect(stdout).not.toContain('\u001b');
});

it('names an example that is not one of the run, and usage that is wrong', () => {
  const wrong = path.join(directory, 'wrong.jsonl');
  write(wrong, [{ example: EXAMPLES, x: [0, 0, 0, 0, 0], y: [0, 0, 1] }]);
  const outside = runBergson(['verify', run, '--input', queries, '--examples', wrong]);
  expect(outside.code).toBe(1);
  expect(outside.stderr).toContain(`${EXAMPLES}`);
  write(wrong, [{ example: 'last', x: [0, 0, 0, 0, 0], y: [0, 0, 1] }]);
  const unnamed = runBergson(['verify', run, '--input', queries, '--examples', wrong]);
  expect(unnamed.code).toBe(1);
  expect(unnamed.stderr).toContain('`example` must be the number of a training example, found last');
  expect(runBergson(['verify', run, '--input', queries]).code).toBe(2);
  expect(runBergson(['verify', run, '--input', queries, '--examples', examples, '--count', '2']).code).toBe(
    2,
  );
});
