import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Attributor } from '../../../callbacks';
import type { QueryDocument } from '../../../scripts/query/document';
import { relativeError, ROUNDING } from '../../support/closeness';
import { TYPESCRIPT } from '../../support/child-process';
import { runBergson } from '../../support/run-bergson';
import { denseCase } from '../../support/small-models';
import { temporaryDirectory } from '../../support/temporary-directory';
import { trainRun } from '../../support/trained-run';

const directory = temporaryDirectory();
let run: string;

beforeAll(async () => {
  const examples = Array.from({ length: 20 }, (_, i) => ({
    label: i % 3,
    text: `"${i}", they said,\nand went`,
  }));
  ({ run } = await trainRun(directory, denseCase, { examples }));
});

function query(...args: string[]): QueryDocument {
  const { code, stdout, stderr } = runBergson(['query', run, ...args, '--json']);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout) as QueryDocument;
}

it('takes scores apart by layer, and says what they were in every epoch', async () => {
  const options = ['--example', '3', '4', '-k', '2', '--unit-norm', '--epochs', '--explain', '7'];
  const document = query(...options);
  const attributor = await Attributor.open(run);
  for (const [i, { explanations, highest }] of document.queries.entries()) {
    const row = attributor.row([3, 4][i]!);
    const [trace] = await attributor.search([row], { k: 20, unitNorm: true });
    const score = trace!.highest.find(({ example }) => example === 7)!.score;
    const [explanation, ...others] = explanations ?? [];
    expect(others).toEqual([]);
    expect(explanation?.layers.map(({ layer }) => layer)).toEqual(['hidden', 'head']);
    expect(relativeError([explanation!.score], [score])).toBeLessThan(ROUNDING);
    for (const { epochs, score: last } of highest) {
      expect(epochs?.map(({ epoch }) => epoch)).toEqual([0, 1]);
      expect(relativeError([epochs![1]!.score!], [last])).toBeLessThan(ROUNDING);
    }
  }
  await attributor.close();
});

it('answers several queries as one', () => {
  const { queries, options } = query('--example', '3', '4', '5', '--aggregate', 'nearest', '--no-lowest');
  expect(options.aggregate).toBe('nearest');
  expect(queries).toHaveLength(1);
  expect(queries[0]).toMatchObject({ query: [{ example: 3 }, { example: 4 }, { example: 5 }], lowest: [] });
  const singly = query('--example', '3', '4', '5', '-k', '20').queries.map(({ highest }) => highest);
  for (const { example, score, query: nearest } of queries[0]!.highest) {
    const scores = singly.map((hits) => hits.find((hit) => hit.example === example)!.score);
    expect(score).toBe(Math.max(...scores));
    expect(scores[nearest!]).toBe(score);
  }
});

it('writes a table that reads back as what it printed', () => {
  const file = path.join(directory, 'answers.csv');
  const { queries } = query('--example', '3', '4', '-k', '3', '--csv', file);
  const lines = parseCsv(fs.readFileSync(file, 'utf8'));
  const hits = queries.flatMap(({ highest, lowest }) => [...highest, ...lowest]);
  expect(lines).toHaveLength(12);
  expect(lines.map(({ example, score, text, steps }) => [example, score, text, steps])).toEqual(
    hits.map(({ example, score, record, seen }) => [
      `${example}`,
      `${score}`,
      record?.text,
      seen.map(({ step }) => step).join(' '),
    ]),
  );
  expect(lines[3]).toMatchObject({ query: 'Training example 3', end: 'lowest', rank: '1', epochs: '0 1' });
  expect(lines[3]).toMatchObject({ run, store: 'epoch_1' });
});

/** RFC 4180, records by the names in the first. */
function parseCsv(text: string): Record<string, string>[] {
  const records: string[][] = [[]];
  for (const [, cell = '', end] of text.matchAll(/("(?:[^"]|"")*"|[^,\r\n]*)(,|\r\n)/g)) {
    records.at(-1)!.push(cell.replace(/^"(.*)"$/s, '$1').replaceAll('""', '"'));
    if (end === '\r\n') records.push([]);
  }
  const [names = [], ...lines] = records.slice(0, -1);
  return lines.map((cells) => Object.fromEntries(names.map((name, i) => [name, cells[i]!])));
}

it('asks by an example without loading TensorFlow.js', () => {
  const answer = path.join(__dirname, '..', '..', '..', 'scripts', 'bergson.ts');
  const code = `
    process.argv = [process.argv[0], ${JSON.stringify(answer)}, 'query', ${JSON.stringify(run)}, '--example', '3'];
    require(${JSON.stringify(answer)});
    process.on('exit', () => console.log('loaded', Object.keys(require.cache).filter((file) => file.includes('@tensorflow')).length));
  `;
  const { stdout } = spawnSync(process.execPath, ['--require', TYPESCRIPT, '--eval', code], {
    encoding: 'utf8',
  });
  expect(stdout).toContain('Training example 3');
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('loaded 0');
});

it.each([
  { what: 'no question and no terminal', args: [], says: 'a prompt needs a terminal' },
  { what: 'an output of no question', args: ['--csv', 'x.csv'], says: 'need a query' },
  {
    what: 'one explanation of several queries',
    args: ['--example', '1', '2', '--aggregate', 'mean', '--explain', '3'],
    says: '--explain takes the score of each query apart',
  },
])('exits with 2 on $what', ({ args, says }) => {
  const { code, stderr } = runBergson(['query', run, ...args]);
  expect(stderr).toContain(says);
  expect(code).toBe(2);
});
