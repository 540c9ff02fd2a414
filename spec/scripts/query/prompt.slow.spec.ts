import fs from 'node:fs';
import path from 'node:path';
import { denseCase } from '../../support/small-models';
import { temporaryDirectory } from '../../support/temporary-directory';
import { hasTerminals, Terminal } from '../../support/terminal';
import { trainRun } from '../../support/trained-run';

const BERGSON = path.join(__dirname, '..', '..', '..', 'scripts', 'bergson.ts');
/** The prompt on a line of its own, at the end of what there is: unlike where a line is drawn anew while it is typed. */
const PROMPT = /(^|\n)bergson> $/;
const UP = '\u001b[A';
const directory = temporaryDirectory();
const history = path.join(directory, 'history');

const terminals = hasTerminals();
if (!terminals)
  console.warn('the prompt is not driven: there is no `script` of util-linux to make a terminal');

(terminals ? describe : describe.skip)('the prompt of bergson query, on a terminal', () => {
  let run: string;
  let terminal: Terminal;

  beforeAll(async () => {
    const examples = Array.from({ length: 20 }, (_, i) => ({ label: i % 3, text: `the ${i}th` }));
    ({ run } = await trainRun(directory, denseCase, { examples }));
  });

  const start = () => new Terminal(BERGSON, ['query', run, '-k', '3'], { BERGSON_HISTORY: history });
  afterEach(() => {
    terminal.kill();
  });

  it('says what is searched, answers, and is told how to answer', async () => {
    terminal = start();
    const greeting = await terminal.wait(PROMPT);
    expect(greeting).toContain('is a complete run of 2 finished epochs over 20 examples');
    expect(greeting).toContain("positive, training on the example lowered the query's loss");

    const answer = await terminal.type('17\r', PROMPT);
    expect(answer).toContain('Training example 17, label 2, the 17th');
    expect(answer.match(/2 steps, \d+ … \d+ \(epochs 0-1\)/g)).toHaveLength(6);

    expect(await terminal.type(':k 2\r', PROMPT)).toContain('k 2, layers all, lowest on');
    expect(await terminal.type(':lowest\r', PROMPT)).toContain('lowest off');
    expect(await terminal.type(':epochs on\r', PROMPT)).toContain('epochs on');
    const shorter = await terminal.type(`${UP.repeat(4)}\r`, PROMPT);
    expect(shorter).toContain('Training example 17');
    expect(shorter).not.toContain('│ lowest');
    expect(shorter).toContain('score by epoch');
    expect(shorter.match(/2 steps/g)).toHaveLength(2);

    expect(await terminal.type(':layers\r', PROMPT)).toMatch(/hidden\nhead/);
    await terminal.type(':layers he', ':layers he');
    await terminal.type('\t', 'ad');
    expect(await terminal.type('\r', PROMPT)).toContain('layers head,');
    const explained = await terminal.type(':explain 3\r', PROMPT);
    expect(explained).toMatch(/Example 3 scores [+-]\d/);
    expect(explained).toContain('head');
    expect(explained).not.toContain('hidden');
    expect(await terminal.type(':show 4\r', PROMPT)).toContain('4: {"label":1,"text":"the 4th"}');
    expect(await terminal.type(':help\r', PROMPT)).toContain(':unit-norm [on | off]');

    terminal.type(':quit\r', 'quit').catch(() => undefined);
    expect(await terminal.exit()).toBe(0);
  }, 60_000);

  it('loads the model when a query needs it, once', async () => {
    terminal = start();
    await terminal.wait(PROMPT);
    const query = '{"x": [1, 0, -1, 0.5, 2], "y": [0, 1, 0], "text": "asked"}';
    const first = await terminal.type(`${query}\r`, PROMPT);
    expect(first).toMatch(
      /Answered in [\d.]+ ms, after \d+\.\d s of loading the model: .* for gradients, .* search\./,
    );
    expect(first).toContain('Query in the prompt, line 1, asked');
    const [model, aside] = [path.join(run, 'model'), path.join(run, 'aside')];
    fs.renameSync(model, aside);
    const second = await terminal.type(`${UP}\r`, PROMPT);
    expect(second).toMatch(/Answered in [\d.]+ ms: .* for gradients/);
    fs.renameSync(aside, model);
    const table = (text: string) => text.slice(text.indexOf('┌'), text.indexOf('Answered in'));
    expect(table(second)).toBe(table(first));
    terminal.type('\u0004', '').catch(() => undefined);
    expect(await terminal.exit()).toBe(0);
  }, 60_000);

  it('says what is wrong and goes on', async () => {
    terminal = start();
    await terminal.wait(PROMPT);
    const cases: [typed: string, says: string][] = [
      ['what?', 'what?: neither an example id nor a query as JSON'],
      [':nonsense', ':nonsense: no such command'],
      [':k 21', ':k 21: must be from 1 to the 20 rows held'],
      [':k 0', ':k 0: must be from 1 to the 20 rows held'],
      ['99', 'example 99 is not among the 20 rows'],
      [':explain 3', 'nothing has been asked yet'],
      [':layers nose', 'the store has no layer `nose`; it has `hidden`, `head`'],
      ['{"x": [1]', 'the prompt, line 1: not JSON'],
      ['{"x": [1], "y": [1, 0, 0]}', '`x` must have shape [5], found [1]'],
      [':input nowhere.jsonl', 'nowhere.jsonl: cannot be read (ENOENT)'],
    ];
    for (const [typed, says] of cases) expect(await terminal.type(`${typed}\r`, PROMPT)).toContain(says);
    expect(await terminal.type(':k 1\r', PROMPT)).toContain('k 1,');
    // Ctrl-C clears a line that was begun, and ends an empty one.
    await terminal.type('half a li', 'half a li');
    await terminal.type('\u0003', /bergson> $/);
    expect(await terminal.type('4\r', PROMPT)).toContain('Training example 4');
    terminal.type('\u0003', '').catch(() => undefined);
    expect(await terminal.exit()).toBe(0);
  }, 60_000);

  it('remembers what was typed', async () => {
    expect(fs.readFileSync(history, 'utf8').split('\n')).toContain(':layers head');
    terminal = start();
    await terminal.wait(PROMPT);
    await terminal.type(UP, '4');
    terminal.type('\u0003\u0003', '').catch(() => undefined);
    expect(await terminal.exit()).toBe(0);
  }, 60_000);
});
