import fs from 'node:fs';
import path from 'node:path';
import type { QueryDocument } from '../../scripts/query/document';

import { runBergson, runScript, type Finished } from '../support/run-bergson';
import { temporaryDirectory } from '../support/temporary-directory';

const directory = temporaryDirectory();
const run = path.join(directory, 'demo');
const queries = `${run}-queries.jsonl`;
const DIGITS = 300;

describe('the demo', () => {
  let demo: Finished;

  beforeAll(() => {
    demo = runScript('demo.ts', ['--digits', `${DIGITS}`, '--epochs', '2', '--path', run]);
  }, 120_000);

  it('trains, answers and tells what it costs', () => {
    expect(demo.code).toBe(0);
    for (const line of [
      /300 handwritten digits, 30 of them/,
      /epoch 2 of 2: loss \d\.\d+/,
      /reads [\d.]+ % of 1000 test digits right/,
      /Test digit \d+, a \d, which the model reads as \d/,
      /helped most +hurt most/,
      /│ self-influence, all epochs +│ 0\.\d{3} │ +\d+ % │/,
      /takes [\d.]+ (kB|MB) on disk/,
      /An answer takes \d+ ms once the model is loaded/,
      /A training step takes [+-][\d.]+ % with the collector/,
    ]) {
      expect(demo.stdout).toMatch(line);
    }
    expect(fs.existsSync(`${run}-timing`)).toBe(false);
  });

  it('finds flipped labels by self-influence better than by chance', () => {
    const area = /self-influence, last epoch +│ ([\d.]+)/.exec(demo.stdout)?.[1];
    expect(Number(area)).toBeGreaterThan(0.6);
  });

  it('keeps to lines of 100 columns', () => {
    for (const line of demo.stdout.replaceAll(run, 'runs/demo').split('\n')) {
      expect(Array.from(line).length).toBeLessThanOrEqual(100);
    }
  });

  it('replaces its run, but no directory that is not one', () => {
    const { code, stderr } = runScript('demo.ts', ['--path', directory]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^demo: .* exists and is not empty/m);
    expect(fs.existsSync(run)).toBe(true);
  });

  describe('bergson query', () => {
    it('answers for people', () => {
      const { code, stdout } = runBergson(['query', run, '--example', '17', '-k', '3']);
      expect(code).toBe(0);
      expect(stdout).toMatch(/a complete run of 2 finished epochs over 300 examples\./);
      expect(stdout).toMatch(/Searched epoch_1, (exactly|through its index): /);
      expect(stdout).toContain("positive, training on the example lowered the query's loss");
      expect(stdout).toMatch(/Training example 17, label \d/);
      expect(stdout.match(/2 steps, \d+ … \d+ \(epochs 0-1\)/g)).toHaveLength(6);
      expect(stdout).not.toContain('\u001b');
    });

    it('answers for machines, with both ends, records and steps', () => {
      const { code, stdout } = runBergson(['query', run, '--example', '17', '4', '-k', '3', '--json']);
      expect(code).toBe(0);
      const document = JSON.parse(stdout) as QueryDocument;
      expect(document).toMatchObject({
        run: {
          path: run,
          state: 'complete',
          examples: DIGITS,
          coverage: { attributed: 5258, trained: 5258 },
        },
        stores: [{ run, store: 'epoch_1' }],
        options: { k: 3, unitNorm: false, layers: null },
        queries: [{ query: { example: 17 } }, { query: { example: 4 } }],
      });
      for (const { highest, lowest } of document.queries) {
        const scores = [...highest, ...lowest.toReversed()].map(({ score }) => score);
        expect(scores).toEqual(scores.toSorted((a, b) => b - a));
        for (const { seen, record } of [...highest, ...lowest]) {
          expect(seen.map(({ epoch }) => epoch)).toEqual([0, 1]);
          expect(record?.label).toEqual(expect.any(Number));
        }
      }
    });

    it("asks about inputs by the run's own model", () => {
      const { code, stdout } = runBergson([
        'query',
        run,
        '--input',
        queries,
        '--row',
        '0',
        '1',
        '-k',
        '2',
        '--json',
      ]);
      expect(code).toBe(0);
      const document = JSON.parse(stdout) as QueryDocument;
      expect(document.queries.map(({ query }) => query)).toEqual(
        [1, 2].map((line) => ({ input: `${queries}, line ${line}` })),
      );
      // The demo asked the same of the model it had trained.
      const shown = `score +${format(document.queries[0]?.highest[0]?.score)} +${format(document.queries[0]?.highest[1]?.score)} `;
      expect(demo.stdout.replaceAll(/ +/g, ' ')).toContain(shown);
    });

    it('draws pictures when asked', () => {
      const { stdout } = runBergson(['query', run, '--example', '17', '--pictures']);
      expect(stdout).toMatch(/[▀▄█]/);
    });

    const bad = (name: string, text: string): string => {
      const file = path.join(directory, name);
      fs.writeFileSync(file, text);
      return file;
    };
    it.each([
      {
        what: 'an example there is not',
        args: ['--example', '300'],
        says: /example 300 is not among the 300 rows/,
      },
      {
        what: 'k above the rows',
        args: ['--example', '1', '-k', '301'],
        says: /from 1 to the 300 rows held, found 301/,
      },
      {
        what: 'a store there is not',
        args: ['--example', '1', '--store', 'epoch_7'],
        says: /no store `epoch_7`.*`epoch_0`, `epoch_1`/,
      },
      {
        what: 'a layer there is not',
        args: ['--example', '1', '--layers', 'tail'],
        says: /no layer `tail`.*`head`/,
      },
      {
        what: 'a file there is not',
        args: ['--input', 'nowhere.jsonl'],
        says: /nowhere\.jsonl: cannot be read \(ENOENT\)/,
      },
      {
        what: 'an empty file',
        args: ['--input', bad('empty.jsonl', '')],
        says: /empty\.jsonl: holds no query/,
      },
      {
        what: 'broken JSON',
        args: ['--input', bad('broken.jsonl', '{"x": 1, "y": 2}\n{"x"')],
        says: /broken\.jsonl, line 2: not JSON/,
      },
      {
        what: 'another shape',
        args: ['--input', bad('shape.jsonl', '{"x": [[1, 2], [3, 4]], "y": [1]}')],
        says: /`x` must have shape \[28, 28, 1\], found \[2, 2\]/,
      },
      {
        what: 'a ragged array',
        args: ['--input', bad('ragged.jsonl', '{"x": [[1], 2], "y": [1]}')],
        says: /`x` is ragged/,
      },
      {
        what: 'a query there is not',
        args: ['--input', queries, '--row', '9'],
        says: /has no query 9; it holds 4/,
      },
    ])('exits with 1 and the message alone on $what', ({ args, says }) => {
      const { code, stdout, stderr } = runBergson(['query', run, ...args]);
      expect(stderr).toMatch(says);
      expect(stderr).not.toContain('    at ');
      expect(stdout).toBe('');
      expect(code).toBe(1);
    });

    it.each([
      { what: 'no question', args: [], says: 'a prompt needs a terminal' },
      {
        what: 'two',
        args: ['--example', '1', '--input', queries],
        says: 'one of --example, --text, --conversation and --input',
      },
      { what: 'an id that is no number', args: ['--example', 'seven'], says: 'whole numbers' },
    ])('exits with 2 on $what', ({ args, says }) => {
      const { code, stdout, stderr } = runBergson(['query', run, ...args]);
      expect(stderr).toContain(says);
      expect(stdout).toBe('');
      expect(code).toBe(2);
    });
  });

  it('is indexed once, and again when asked', () => {
    const outcome = (args: string[]) => {
      const { stdout } = runBergson(['index', run, '--store', 'epoch_0', '--json', ...args]);
      return JSON.parse(stdout) as { built: boolean; rows: number };
    };
    expect(outcome([])).toMatchObject({ built: true, rows: DIGITS });
    expect(outcome(['--force'])).toMatchObject({ built: true, rows: DIGITS });
  });
});

function format(score: number | undefined): string {
  return (score ?? NaN).toPrecision(4);
}
