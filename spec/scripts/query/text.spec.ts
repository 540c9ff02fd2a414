import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { Attributor, buildRun, ModelMismatchError } from '../../../callbacks';
import type { QueryDocument } from '../../../scripts/query/document';
import { ModelFolderError, QueryInputError } from '../../../scripts/query/errors';
import { parseInputs, textInputs } from '../../../scripts/query/inputs';
import { Prompt } from '../../../scripts/query/prompt';
import { QuerySession, type SessionOptions } from '../../../scripts/query/session';
import { configs, ROWS, silent } from '../../build/support';
import { relativeError } from '../../support/closeness';
import { runBergson } from '../../support/run-bergson';
import { denseCase } from '../../support/small-models';
import { temporaryDirectory } from '../../support/temporary-directory';
import { trainRun } from '../../support/trained-run';

/** A text alone in its batch, and beside others: float32 sums in other orders. */
const TOLERANCE = 1e-5;
const directory = temporaryDirectory();
const config = configs(directory);
const FOX = ROWS[0]!.text;
const LONG = ROWS[4]!.text;

const open = (run: string, options: Partial<SessionOptions> = {}) =>
  QuerySession.open(run, { engine: 'exact', onTruncated: () => undefined, ...options });

let run: string;
beforeAll(async () => {
  ({ path: run } = (await buildRun(config({ normalizer: 'adafactor' }), silent)).run);
});

it.each([{}, { lossReduction: 'mean' }, { contextLength: 9, normalizer: 'adam' }] as const)(
  'makes the row that a text has in a run, built with %j',
  async (given) => {
    const before = tf.memory().numTensors;
    const { run } = await buildRun(config(given), silent);
    const session = await open(run.path);
    for (const id of [0, 3, 4]) {
      const [question] = await session.fromInputs(textInputs('here', [ROWS[id]!.text]));
      expect(relativeError(question!.row, session.attributor.row(id))).toBeLessThan(TOLERANCE);
    }
    await session.close();
    expect(tf.memory().numTensors).toBe(before);
  },
);

it('makes the row of a completion after its prompt', async () => {
  const texts = path.join(directory, 'completions.jsonl');
  fs.writeFileSync(texts, `${JSON.stringify({ prompt: 'The quick brown', completion: ' fox jumps' })}\n`);
  const columns = { textColumn: null, promptColumn: 'prompt', completionColumn: 'completion' };
  const built = await buildRun(config({ dataset: texts, ...columns }), silent);
  const session = await open(built.run.path);
  const [question] = await session.fromInputs(parseInputs('texts', fs.readFileSync(texts, 'utf8')));
  expect(question!.record?.text).toBe('The quick brown fox jumps');
  expect(relativeError(question!.row, session.attributor.row(0))).toBeLessThan(TOLERANCE);
  await session.close();
});

it('answers texts on the command line, and says what it cut off', async () => {
  const { code, stdout, stderr } = runBergson([
    ...['query', run, '--text', FOX, '--text', LONG, '-k', '5', '--unit-norm', '--json'],
  ]);
  expect(stderr).toBe("--text 2: the text was cut off after 64 tokens, as the run's own are\n");
  expect(code).toBe(0);
  const { queries, took } = JSON.parse(stdout) as QueryDocument;
  // Milliseconds: nothing is answered in none, nor does any of this take a minute.
  for (const time of Object.values(took)) {
    expect(time).toBeGreaterThan(0);
    expect(time).toBeLessThan(60_000);
  }
  expect(queries.map(({ query }) => query)).toEqual([
    { input: '--text 1' },
    { input: '--text 2', truncatedTo: 64 },
  ]);
  expect(queries[0]!.record).toEqual({ text: FOX });
  const kept = queries[1]!.record?.text ?? '';
  expect(kept.length).toBeLessThan(LONG.length);
  expect(LONG.startsWith(kept)).toBe(true);
  const attributor = await Attributor.open(run);
  for (const [i, id] of [0, 4].entries()) {
    const own = attributor.row(id);
    const norm = Math.sqrt(own.reduce((sum, value) => sum + value * value, 0));
    expect(queries[i]!.highest[0]!.example).toBe(id);
    expect(relativeError([queries[i]!.highest[0]!.score], [norm])).toBeLessThan(TOLERANCE);
  }
  await attributor.close();
});

it('scores an example by its own text as its row by itself', async () => {
  const session = await open(run);
  const [answer] = await session.ask(await session.fromInputs(textInputs('here', [FOX])), { k: 5 });
  const own = session.attributor.row(0);
  const square = own.reduce((sum, value) => sum + value * value, 0);
  const found = answer!.trace.highest.find(({ example }) => example === 0);
  expect(relativeError([found!.score], [square])).toBeLessThan(TOLERANCE);
  await session.close();
});

it('scores every example by texts, from a file of them', () => {
  const queries = path.join(directory, 'queries.jsonl');
  fs.writeFileSync(queries, `{"text": ${JSON.stringify(FOX)}}\n{"text": ${JSON.stringify(LONG)}}\n`);
  const out = path.join(directory, 'scores.jsonl');
  const { code, stdout, stderr } = runBergson(['score', run, '--queries', queries, '--out', out]);
  expect(stderr).toContain(`${queries}, line 2: the text was cut off after 64 tokens`);
  expect(code).toBe(0);
  expect(stdout).toContain('5 rows with 2 scores each');
});

it.each([
  ['', 'here: the text is empty'],
  ['a', 'here: cannot be asked by: a single token, which predicts none'],
])('does not ask by %j', async (text, says) => {
  const session = await open(run);
  const asked = async () => session.fromInputs(textInputs('here', [text]));
  await expect(asked()).rejects.toThrow(QueryInputError);
  await expect(asked()).rejects.toThrow(says);
  await session.close();
});

it('says where a model is not any more, and takes it from where it is, if it is the same', async () => {
  const asked = config({ model: path.join(directory, 'moving') });
  fs.cpSync(config().model, asked.model, { recursive: true });
  const { run } = await buildRun(asked, silent);
  const moved = path.join(directory, 'moved');
  fs.renameSync(asked.model, moved);
  const failed = runBergson(['query', run.path, '--text', FOX]);
  expect(failed.code).toBe(1);
  expect(failed.stdout).toBe('');
  expect(failed.stderr).toContain(`is not at ${asked.model}; say where it is with \`--model DIR\``);
  const session = await open(run.path, { model: moved });
  const [question] = await session.fromInputs(textInputs('here', [FOX]));
  expect(relativeError(question!.row, session.attributor.row(0))).toBeLessThan(TOLERANCE);
  await session.close();
  const nowhere = await open(run.path, { model: path.join(directory, 'nowhere') });
  await expect(nowhere.fromInputs(textInputs('here', [FOX]))).rejects.toThrow(ModelFolderError);
  await nowhere.close();

  const weights = path.join(moved, 'model.safetensors');
  const bytes = fs.readFileSync(weights);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 2) ^ 1, bytes.length - 2);
  fs.writeFileSync(weights, bytes);
  const other = await open(run.path, { model: moved });
  await expect(other.fromInputs(textInputs('here', [FOX]))).rejects.toThrow(ModelMismatchError);
  await other.close();
});

it('asks by what is typed at the prompt, if it is nothing else', async () => {
  const session = await open(run);
  const prompt = new Prompt(session, { k: 1 }, false);
  const printed = jest.spyOn(console, 'log').mockImplementation(() => undefined);
  for (const line of [FOX, `:text ${FOX}`, JSON.stringify({ text: FOX }), '0']) await prompt.take(line);
  const lines = printed.mock.calls.map(([text]) => String(text));
  const answers = lines.filter((line) => !line.startsWith('Answered in '));
  expect(lines).toHaveLength(2 * answers.length);
  printed.mockRestore();
  expect(answers[0]).toContain(`Text asked in the prompt, ${FOX}`);
  expect(answers[1]).toBe(answers[0]);
  expect(answers[2]).toContain('Text asked in the prompt, line 1, ');
  expect(answers[3]).toContain('Training example 0');
  await expect(prompt.take(':text')).rejects.toThrow('which text?');
  await expect(prompt.take('{"x": [1], "y": [0]}')).rejects.toThrow('this run is of a language model');
  await session.close();
});

it('asks a run of another model by no text', async () => {
  const { run } = await trainRun(directory, denseCase);
  const session = await open(run);
  await expect(session.fromInputs(textInputs('here', [FOX]))).rejects.toThrow('this one takes `x` and `y`');
  await session.close();
  await expect(open(run, { model: directory })).rejects.toThrow('not of a language model');
});
