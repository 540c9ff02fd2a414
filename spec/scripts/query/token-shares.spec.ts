import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { buildRun, type BuildConfig } from '../../../callbacks';
import { textInputs } from '../../../scripts/query/inputs';
import { QuerySession, type Explanation } from '../../../scripts/query/session';
import type { SharesOrReason, TokenShares } from '../../../scripts/query/token-shares';
import type { QueryDocument } from '../../../scripts/query/document';
import { configs, ROWS, silent } from '../../build/support';
import { writeJsonl } from '../../datasets/support';
import { runBergson } from '../../support/run-bergson';
import { temporaryDirectory } from '../../support/temporary-directory';

/** Sums of float32 numbers in other orders, relative to what is multiplied. */
const TOLERANCE = 1e-5;
/** What float16 takes of a row besides. */
const HALF = 5e-4;
const directory = temporaryDirectory();
const config = configs(directory);
const FOX = ROWS[0]!.text;
const HEADS = { 'h.0.attn.c_attn': { numHeads: 4, headSize: 48, headDim: 2 } };
const COMPLETIONS = { textColumn: null, promptColumn: 'prompt', completionColumn: 'completion' };

async function built(given: Partial<BuildConfig>): Promise<string> {
  return (await buildRun(config(given), silent)).run.path;
}

const open = (run: string, options: Partial<Parameters<typeof QuerySession.open>[1]> = {}) =>
  QuerySession.open(run, { engine: 'exact', onTruncated: () => undefined, ...options });

function shares(of: SharesOrReason): TokenShares {
  if ('missing' in of) throw new Error(of.missing);
  return of;
}

/** Both ways of taking the score apart by token, each of which has to sum to it, layer by layer. */
function expectSums({ score, layers, byToken }: Explanation, size: number, tolerance: number): void {
  for (const each of [byToken!.example, byToken!.query].map(shares)) {
    expect(each.of).toBe('row');
    expect(Math.abs(each.score - score) / size).toBeLessThan(tolerance);
    layers.forEach((layer, i) => {
      const sum = each.tokens.reduce((total, token) => total + (token.layers[i] ?? 0), 0);
      expect(Math.abs(sum - layer.score) / size).toBeLessThan(tolerance);
    });
    expect(each.tokens[0]!.score).toBe(0);
    expect(each.tokens.filter((token) => token.score !== 0).length).toBeGreaterThan(each.tokens.length / 2);
  }
}

const length = (row: Float32Array) => Math.hypot(...row);

it.each<[Partial<BuildConfig>, { layers?: string[]; unitNorm?: boolean }]>([
  [{ normalizer: 'adafactor', heads: HEADS }, {}],
  [{ normalizer: 'adam', lossReduction: 'mean' }, { unitNorm: true }],
  [{ dtype: 'float16' }, { layers: ['h.1'], unitNorm: true }],
  [{ attribute: 'tokens' }, { unitNorm: true }],
])('takes a score of a run built with %j apart by token, asked with %j', async (given, options) => {
  const before = tf.memory().numTensors;
  const session = await open(await built(given));
  const [byText] = await session.fromInputs(textInputs('here', [ROWS[5]!.text]));
  const [byExample] = session.fromExamples([3]);
  for (const question of [byText!, byExample!]) {
    const [explanation] = await session.explain(question, 4, { ...options, tokens: true });
    const norm = options.unitNorm ? 1 : length(session.attributor.row(4));
    const size = length(question.row) * norm * (given.attribute === 'tokens' && options.unitNorm ? 64 : 1);
    expectSums(explanation!, size, given.dtype === 'float16' ? HALF : TOLERANCE);
  }
  const [explanation] = await session.explain(byText!, 0, { ...options, tokens: true });
  const { example, query } = explanation!.byToken!;
  const said = (of: SharesOrReason) => shares(of).tokens.map(({ text }) => text);
  expect(said(example).join('')).toBe(FOX);
  expect(said(query).join('')).toBe(ROWS[5]!.text);
  await session.close();
  expect(tf.memory().numTensors).toBe(before);
});

it('gives each token what its own row scores, in a run that has one for each', async () => {
  const [examples, tokens] = [await open(await built({})), await open(await built({ attribute: 'tokens' }))];
  const [question] = await examples.fromInputs(textInputs('here', [FOX]));
  const [explanation] = await examples.explain(question!, 3, { tokens: true });
  const { tokens: found } = shares(explanation!.byToken!.example);
  const [trace] = await tokens.attributor.search([question!.row], { k: tokens.attributor.rows });
  const size = length(question!.row) * length(examples.attributor.row(3));
  const own = trace!.highest.filter(({ example }) => example === 3);
  expect(own).toHaveLength(found.length - 1);
  for (const { token, score } of own)
    expect(Math.abs(found[token!.position + 1]!.score - score) / size).toBeLessThan(TOLERANCE);
  await examples.close();
  await tokens.close();
});

it('counts a completion’s tokens as the run did, and not its prompt’s loss', async () => {
  const texts = writeJsonl(directory, 'completions.jsonl', [
    { prompt: 'The quick brown', completion: ' fox jumps' },
    { prompt: 'Paris is', completion: ' in France.' },
  ]);
  const session = await open(await built({ dataset: texts, ...COMPLETIONS }));
  const [question] = session.fromExamples([0]);
  const [explanation] = await session.explain(question!, 1, { tokens: true });
  expectSums(explanation!, length(question!.row) * length(session.attributor.row(1)), TOLERANCE);
  await session.close();
});

it('says why there are no tokens: of a data set that is not what it was, or not there', async () => {
  const texts = writeJsonl(directory, 'changing.jsonl', ROWS);
  const run = await built({ dataset: texts });
  const reasons = async () => {
    const session = await open(run);
    const [explanation] = await session.explain(session.fromExamples([0])[0]!, 3, { tokens: true });
    const [without] = await session.explain(session.fromExamples([0])[0]!, 3, { tokens: false });
    expect(without!.byToken).toBeUndefined();
    await session.close();
    expect(explanation!.layers).toHaveLength(8);
    return explanation!.byToken!.example;
  };
  writeJsonl(
    directory,
    'changing.jsonl',
    ROWS.map(({ text }) => ({ text: text.replace('sea', 'lake') })),
  );
  expect(await reasons()).toEqual({
    missing: expect.stringMatching(
      /example 3 of .*its gradient is [01]\.\d+ of the row's norm off/,
    ) as string,
  });
  fs.rmSync(texts);
  expect(await reasons()).toEqual({ missing: expect.stringContaining('is not a data set') as string });
});

it('shows the words that count, and on request all tokens with their numbers', async () => {
  const run = await built({});
  const args = ['query', run, '--text', FOX, '--explain', '0', '-k', '1'];
  const { stdout, stderr } = runBergson(args);
  expect(stderr).toBe('');
  expect(stdout).toMatch(/Example 0, token by token: \+\d/);
  expect(stdout).toMatch(/The query, token by token: \+\d/);
  const marked = stdout.split('\n').filter((line) => line.replace(/[[\]]/g, '') === FOX);
  expect(marked).toHaveLength(2);
  for (const line of marked) expect(line).toMatch(/\[\S+\]/);
  expect(stdout).toMatch(/\S+ \+[\d.]+, \S+ \+/);

  const { queries } = JSON.parse(runBergson([...args, '--json']).stdout) as QueryDocument;
  const { layers, byToken } = queries[0]!.explanations![0]!;
  expect(
    shares(byToken!.query)
      .tokens.map(({ text }) => text)
      .join(''),
  ).toBe(FOX);
  for (const token of shares(byToken!.example).tokens.slice(1))
    expect(token.layers).toHaveLength(layers.length);
  expect(path.isAbsolute(queries[0]!.explanations![0]!.run)).toBe(true);
});
