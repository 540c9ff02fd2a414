import fs from 'node:fs';
import path from 'node:path';
import type { Document, Fitting } from '../../lib/datasets/document';
import { openTokenizer } from '../../lib/datasets/tokenizer';
import { TokenizerThread } from '../../lib/datasets/tokenizer-thread';
import { TokenizerError } from '../../lib/errors';
import { temporaryDirectory } from '../support/temporary-directory';
import { EXPECTED_IDS, TOKENIZER } from './support';

const root = temporaryDirectory();
const LONG: Fitting = { contextLength: 1000, longDocuments: 'truncate' };
const plain = (text: string): Document => ({ text, specialTokens: true });

/** The tokenizer, with a beginning and an end that it adds itself. */
function withSpecialTokens(): string {
  const file = path.join(TOKENIZER, 'tokenizer.json');
  const tokenizer = JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>;
  const special = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const entry = (id: string, ids: number) => ({ id, ids: [ids], tokens: [id] });
  tokenizer.post_processor = {
    type: 'TemplateProcessing',
    single: [special('<|im_start|>'), { Sequence: { id: 'A', type_id: 0 } }, special('<|im_end|>')],
    pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
    special_tokens: { '<|im_start|>': entry('<|im_start|>', 1), '<|im_end|>': entry('<|im_end|>', 2) },
  };
  // What the file asks for is not done.
  tokenizer.truncation = { direction: 'Right', max_length: 3, strategy: 'LongestFirst', stride: 0 };
  tokenizer.padding = null;
  const changed = path.join(root, 'special.json');
  fs.writeFileSync(changed, JSON.stringify(tokenizer));
  return changed;
}

it('makes the ids that Python makes', async () => {
  const documents = await openTokenizer(TOKENIZER, LONG).tokenize(
    EXPECTED_IDS.map(({ text }) => plain(text)),
  );
  const found = documents.map(({ pieces }) => [...(pieces[0]?.inputIds ?? [])]);
  expect(found).toEqual(EXPECTED_IDS.map(({ ids }) => ids));
});

it('adds the special tokens of the tokenizer, unless the text has them', async () => {
  const text = 'The river';
  const [own, none] = await openTokenizer(withSpecialTokens(), LONG).tokenize([
    plain(text),
    { text, specialTokens: false },
  ]);
  const bare = [...(none?.pieces[0]?.inputIds ?? [])];
  expect(bare.length).toBeGreaterThan(0);
  expect([...(own?.pieces[0]?.inputIds ?? [])]).toEqual([1, ...bare, 2]);
});

it('keeps the special token at the end when it truncates, and the text that the tokens hold', async () => {
  const text = 'The river rises in the hills.';
  const tokenizer = openTokenizer(withSpecialTokens(), { contextLength: 5, longDocuments: 'truncate' });
  const [document] = await tokenizer.tokenize([plain(text)]);
  expect(document?.truncated).toBe(true);
  const ids = [...(document?.pieces[0]?.inputIds ?? [])];
  expect(ids).toHaveLength(5);
  expect([ids[0], ids[4]]).toEqual([1, 2]);
  const [whole] = await openTokenizer(TOKENIZER, LONG).tokenize([plain(text)]);
  expect(ids.slice(1, 4)).toEqual([...(whole?.pieces[0]?.inputIds ?? [])].slice(0, 3));
  const kept = text.slice(...(document?.pieces[0]?.textRange ?? [0]));
  const [again] = await openTokenizer(TOKENIZER, LONG).tokenize([plain(kept)]);
  expect([...(again?.pieces[0]?.inputIds ?? [])]).toEqual(ids.slice(1, 4));
});

it('cuts chunks whose texts follow on one another, surrogate pairs whole', async () => {
  const text = 'The miller 🙂 counts 🙂🙂 the sacks, 日本 and a half.';
  const tokenizer = openTokenizer(TOKENIZER, { contextLength: 4, longDocuments: 'chunk' });
  const [document] = await tokenizer.tokenize([plain(text)]);
  const texts = document?.pieces.map(({ textRange }) => text.slice(...(textRange ?? [0]))) ?? [];
  expect(texts.length).toBeGreaterThan(4);
  expect(texts.join('')).toBe(text);
  for (const part of texts) expect(() => encodeURIComponent(part)).not.toThrow(); // as half a pair would
});

it('counts the loss of tokens that hold some of the ranges, and of what closes them', async () => {
  const prompt = '🙂🙂🙂🙂🙂🙂🙂🙂 question:'; // twice as many code units as code points
  const text = `${prompt} answer`;
  const lossRanges = [[prompt.length, text.length]] as const;
  const [document] = await openTokenizer(withSpecialTokens(), LONG).tokenize([
    { text, lossRanges, specialTokens: true },
  ]);
  const [before] = await openTokenizer(TOKENIZER, LONG).tokenize([plain(prompt)]);
  const { inputIds = [], labels = [] } = document?.pieces[0] ?? {};
  const uncounted = 1 + (before?.pieces[0]?.inputIds.length ?? 0);
  expect(uncounted).toBeGreaterThan(20);
  expect([...labels]).toEqual([...inputIds].map((id, i) => (i < uncounted ? -100 : id)));
  expect(inputIds.at(-1)).toBe(2);
});

it('counts the loss of a token that holds both sides of the border', async () => {
  const text = 'the river';
  const [whole] = await openTokenizer(TOKENIZER, LONG).tokenize([plain(text)]);
  const [document] = await openTokenizer(TOKENIZER, LONG).tokenize([
    { text, lossRanges: [[text.length - 1, text.length]], specialTokens: true },
  ]);
  const ids = [...(whole?.pieces[0]?.inputIds ?? [])];
  expect(ids).toHaveLength(3); // `t`, `he` and ` river`
  expect([...(document?.pieces[0]?.labels ?? [])]).toEqual([-100, -100, ids[2]]);
});

describe('in its thread', () => {
  it('answers in order, with what it answers outside', async () => {
    const thread = await TokenizerThread.open(TOKENIZER, LONG);
    const tokenizer = openTokenizer(TOKENIZER, LONG);
    const texts = EXPECTED_IDS.map(({ text }) => [plain(text)]);
    const answers = await Promise.all(texts.map((documents) => thread.tokenize(documents)));
    expect(answers).toEqual(await Promise.all(texts.map((documents) => tokenizer.tokenize(documents))));
    await thread.close();
    await expect(thread.tokenize([plain('more')])).rejects.toThrow(TokenizerError);
  });

  it('passes on what is wrong with the tokenizer', async () => {
    const broken = path.join(root, 'broken.json');
    fs.writeFileSync(broken, '{"model": 7}');
    await expect(TokenizerThread.open(broken, LONG)).rejects.toThrow(TokenizerError);
    await expect(TokenizerThread.open(broken, LONG)).rejects.toThrow(/broken\.json.*does not load/);
    await expect(TokenizerThread.open(root, LONG)).rejects.toThrow(/there is no such file/);
  });
});
