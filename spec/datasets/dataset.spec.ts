import fs from 'node:fs';
import path from 'node:path';
import { openDataset, type DatasetOptions, type TextDataset } from '../../lib/datasets/dataset';
import { EmptyDatasetError, InvalidOptionError, UnknownDatasetFormatError } from '../../lib/errors';
import { temporaryDirectory } from '../support/temporary-directory';
import { all, TOKENIZER, writeJsonl } from './support';

const root = temporaryDirectory();
const opened: TextDataset[] = [];
afterEach(async () => {
  for (const dataset of opened.splice(0)) await dataset.close();
});

async function open(location: string, options: Partial<DatasetOptions> = {}): Promise<TextDataset> {
  const dataset = await openDataset(location, { contextLength: 64, tokenizer: TOKENIZER, ...options });
  opened.push(dataset);
  return dataset;
}

const texts = Array.from({ length: 500 }, (_, i) => ({ text: `The river ${i} rises in the hills.` }));

it('gives every row once, in order, from many blocks', async () => {
  const dataset = await open(writeJsonl(root, 'many.jsonl', texts));
  const examples = await all(dataset.examples());
  expect(examples.map(({ id }) => id)).toEqual(texts.map((_, i) => i));
  expect(examples.map(({ record }) => record.text)).toEqual(texts.map(({ text }) => text));
  for (const { inputIds, labels } of examples) expect(labels).toEqual(inputIds);
  const tokens = examples.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
  expect(dataset.counts).toEqual({ rows: 500, examples: 500, tokens, truncated: 0, chunked: 0, skipped: [] });
  expect(dataset.exampleCount).toBe(500);
});

it('numbers a range of rows from 0, and tells which rows they are', async () => {
  const dataset = await open(writeJsonl(root, 'many.jsonl', texts), { split: '100:103' });
  const examples = await all(dataset.examples());
  expect(examples.map(({ id, record }) => [id, record.row])).toEqual([
    [0, 100],
    [1, 101],
    [2, 102],
  ]);
  expect(dataset.range).toEqual({ start: 100, end: 103 });
});

it('makes only the examples that are wanted, with the same ids', async () => {
  const dataset = await open(writeJsonl(root, 'many.jsonl', texts));
  const examples = await all(dataset.examples({ wanted: (id) => id % 100 === 7 }));
  expect(examples.map(({ id, record }) => [id, record.text])).toEqual(
    [7, 107, 207, 307, 407].map((id) => [id, texts[id]?.text]),
  );
});

it('can be left early and gone through again', async () => {
  const dataset = await open(writeJsonl(root, 'many.jsonl', texts));
  for await (const { id } of dataset.examples()) if (id === 3) break;
  expect(await all(dataset.examples())).toHaveLength(500);
});

it('skips rows that cannot be used, counts them by reason, and keeps the numbers of the rest', async () => {
  const rows = [
    { text: 'The sea.' },
    { text: null },
    { other: 1 },
    { text: 7 },
    { text: '' },
    { text: 'a' },
    { text: 'The mill.' },
  ];
  const dataset = await open(writeJsonl(root, 'skips.jsonl', rows), { textColumn: 'text' });
  expect((await all(dataset.examples())).map(({ id }) => id)).toEqual([0, 6]);
  expect(dataset.counts).toMatchObject({ rows: 7, examples: 2 });
  expect(dataset.counts.skipped).toEqual([
    { reason: 'no `text`', count: 2, firstRows: [1, 2] },
    { reason: '`text` is a number, not a text', count: 1, firstRows: [3] },
    { reason: 'no tokens', count: 1, firstRows: [4] },
    { reason: 'a single token, which predicts none', count: 1, firstRows: [5] },
  ]);
});

it('truncates to the context and counts how many', async () => {
  const rows = [{ text: 'The sea.' }, { text: 'The river rises. '.repeat(30) }];
  const dataset = await open(writeJsonl(root, 'long.jsonl', rows), { contextLength: 16 });
  const [, long] = await all(dataset.examples());
  expect(long?.inputIds).toHaveLength(16);
  expect(dataset.counts.truncated).toBe(1);
  expect(rows[1]?.text.startsWith(String(long?.record.text))).toBe(true);
  expect(String(long?.record.text).length).toBeLessThan(100);
});

it('cuts long documents into chunks that know their row and place', async () => {
  const long = 'The river rises. '.repeat(30).trim();
  const rows = [{ text: 'The sea.' }, { text: null }, { text: long }, { text: 'The mill.' }];
  const file = writeJsonl(root, 'chunks.jsonl', rows);
  const [, whole] = await all((await open(file, { contextLength: 1000 })).examples());
  const dataset = await open(file, { contextLength: 16, longDocuments: 'chunk' });
  const examples = await all(dataset.examples());
  expect(dataset.exampleCount).toBeNull();
  expect(examples.map(({ id }) => id)).toEqual(examples.map((_, i) => i));
  const chunks = examples.filter(({ record }) => record.row === 2);
  expect(chunks.map(({ record }) => record.tokenOffset)).toEqual(chunks.map((_, i) => i * 16));
  expect(chunks.flatMap(({ inputIds }) => [...inputIds])).toEqual([...(whole?.inputIds ?? [])]);
  expect(chunks.map(({ record }) => record.text).join('')).toBe(long);
  expect(dataset.counts).toMatchObject({ chunked: 1, truncated: 0, examples: chunks.length + 2 });
  const some = await all(dataset.examples({ wanted: (id) => id === 2 }));
  expect(some).toEqual([examples[2]]);
});

it('counts the loss of the completion only', async () => {
  const rows = [
    { question: 'What does the river carry?', answer: ' Sand and leaves.' },
    { question: 'The river. '.repeat(40), answer: ' Too far away.' },
    { question: 'Empty?', answer: '' },
  ];
  const columns = { promptColumn: 'question', completionColumn: 'answer' };
  const dataset = await open(writeJsonl(root, 'completions.jsonl', rows), columns);
  const [only, ...more] = await all(dataset.examples());
  expect(more).toEqual([]);
  const plain = await open(writeJsonl(root, 'answer.jsonl', [{ text: ' Sand and leaves.' }]));
  const [answer] = await all(plain.examples());
  expect([...(only?.labels ?? [])].filter((label) => label !== -100)).toEqual([...(answer?.inputIds ?? [])]);
  expect(dataset.counts.skipped.map(({ reason, count }) => [reason, count])).toEqual([
    ['no token that the loss counts within the context', 1],
    ['empty `answer`', 1],
  ]);
});

it('renders conversations by the chat template', async () => {
  const messages = [
    { role: 'user', content: 'hello' },
    { role: 'assistant', content: 'hi' },
  ];
  const dataset = await open(writeJsonl(root, 'chat.jsonl', [{ messages }]), {
    conversationColumn: 'messages',
  });
  const [example] = await all(dataset.examples());
  // <|im_start|> and <|im_end|> are single tokens; the last two are the end of the turn and a newline.
  expect(example?.inputIds[0]).toBe(1);
  const { inputIds = new Int32Array(), labels = new Int32Array() } = example ?? {};
  expect(inputIds.at(-2)).toBe(2);
  const starts = [...inputIds].flatMap((id, i) => (id === 1 ? [i] : []));
  const first = labels.findIndex((label) => label !== -100);
  expect(first).toBeGreaterThan(starts[1] ?? Infinity);
  expect([...labels.subarray(first)]).toEqual([...inputIds.subarray(first)]);
});

it('takes tokens as they are, with their labels, without a tokenizer', async () => {
  const rows = [
    { input_ids: [5, 6, 7], labels: [-100, 6, 7] },
    { input_ids: [5, 6], labels: [5] },
    { input_ids: [5, -6] },
    { input_ids: [5, null] },
    { input_ids: 'five' },
    { input_ids: [5, 6, 7, 8, 9] },
  ];
  const file = writeJsonl(root, 'tokens.jsonl', rows);
  const dataset = await openDataset(file, { contextLength: 4 });
  const examples = await all(dataset.examples());
  expect(examples.map(({ id, inputIds, labels }) => [id, [...inputIds], [...labels]])).toEqual([
    [0, [5, 6, 7], [-100, 6, 7]],
    [5, [5, 6, 7, 8], [5, 6, 7, 8]],
  ]);
  expect(dataset.counts.truncated).toBe(1);
  expect(dataset.counts.skipped.map(({ firstRows }) => firstRows)).toEqual([[1], [2, 3, 4]]);
});

it('heeds labels that only later rows have', async () => {
  const rows = [
    ...Array.from({ length: 40 }, () => ({ input_ids: [5, 6] })),
    { input_ids: [5, 6, 7], labels: [-100, -100, 7] },
  ];
  const dataset = await openDataset(writeJsonl(root, 'later.jsonl', rows), { contextLength: 4 });
  expect([...((await all(dataset.examples())).at(-1)?.labels ?? [])]).toEqual([-100, -100, 7]);
});

it('takes the padding off tokens that have an attention mask', async () => {
  const rows = [
    { input_ids: [5, 6, 7, 0, 0], attention_mask: [1, 1, 1, 0, 0], labels: [5, -100, 7, 0, 0] },
    { input_ids: [0, 5, 6], attention_mask: [0, 1, 1] },
    { input_ids: [5, 6, 7], attention_mask: [1, 0, 1] },
    { input_ids: [5, 6, 7], attention_mask: [1, 1] },
    { input_ids: [5, 6], attention_mask: [0, 0] },
  ];
  const dataset = await openDataset(writeJsonl(root, 'masks.jsonl', rows), { contextLength: 4 });
  const examples = await all(dataset.examples());
  expect(examples.map(({ id, inputIds, labels }) => [id, [...inputIds], [...labels]])).toEqual([
    [0, [5, 6, 7], [5, -100, 7]],
    [1, [5, 6], [5, 6]],
  ]);
  expect(dataset.counts.skipped.map(({ reason, firstRows }) => [reason, firstRows])).toEqual([
    ['`attention_mask` leaves out tokens between others', [2]],
    ['`attention_mask` and `input_ids` differ in length', [3]],
    ['no tokens', [4]],
  ]);
});

it('tells the text of tokens where there is a tokenizer', async () => {
  const plain = await open(writeJsonl(root, 'many.jsonl', texts), { split: ':3' });
  const rows = (await all(plain.examples())).map(({ inputIds }) => ({ input_ids: [...inputIds] }));
  const file = writeJsonl(root, 'decoded.jsonl', rows);
  const whole = await all((await open(file)).examples());
  expect(whole.map(({ record }) => record.text)).toEqual(texts.slice(0, 3).map(({ text }) => text));
  const chunks = await all((await open(file, { contextLength: 4, longDocuments: 'chunk' })).examples());
  const first = chunks.filter(({ record }) => record.row === 0);
  expect(first.map(({ record }) => record.tokenOffset)).toEqual(first.map((_, i) => 4 * i));
  // The last chunk is a single token, the period.
  expect(`${first.map(({ record }) => record.text).join('')}.`).toBe(texts[0]?.text);
});

it('weights completions by their reward less the mean of their group', async () => {
  const rows = [
    { p: 'The river', c: ' rises.', r: 1 },
    { p: 'The sea', c: ' is still.', r: 3 },
    { p: 'The river', c: ' falls.', r: 0 },
    { p: 'The river', c: ' sings.', r: null },
  ];
  const columns = { promptColumn: 'p', completionColumn: 'c', rewardColumn: 'r' };
  const dataset = await open(writeJsonl(root, 'rewards.jsonl', rows), columns);
  const examples = await all(dataset.examples());
  expect(examples.map(({ id, weight }) => [id, weight])).toEqual([
    [0, 0.5],
    [1, 0],
    [2, -0.5],
  ]);
  expect(examples[0]?.record).toMatchObject({ reward: 1, advantage: 0.5 });
  expect(dataset.counts.skipped).toEqual([{ reason: 'no number in `r`', count: 1, firstRows: [3] }]);
});

it('reads a folder of text files in the order of their names', async () => {
  const folder = path.join(root, 'texts');
  fs.mkdirSync(path.join(folder, 'b'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'c.txt'), 'The sea.');
  fs.writeFileSync(path.join(folder, 'b', 'a.txt'), 'The mill.');
  fs.writeFileSync(path.join(folder, 'a.txt'), '\ufeffThe river.');
  const dataset = await open(folder);
  expect((await all(dataset.examples())).map(({ record }) => record.text)).toEqual([
    'The river.',
    'The mill.',
    'The sea.',
  ]);
});

it('reads the shards of a folder as one, or those of one part of it', async () => {
  const folder = path.join(root, 'shards');
  fs.mkdirSync(folder);
  writeJsonl(folder, 'train-00000-of-00002.jsonl', texts.slice(0, 3));
  writeJsonl(folder, 'train-00001-of-00002.jsonl', texts.slice(3, 5));
  writeJsonl(folder, 'test.jsonl', texts.slice(5, 6));
  const read = async (split: string) =>
    (await all((await open(folder, { split })).examples())).map(({ record }) => record.text);
  const expected = texts.map(({ text }) => text);
  expect(await read('train')).toEqual(expected.slice(0, 5));
  expect(await read('train[2:4]')).toEqual(expected.slice(2, 4));
  expect(await read('test')).toEqual(expected.slice(5, 6));
  await expect(read('validation')).rejects.toThrow(/no part named `validation`: it has `test`, `train`/);
});

it('names what is wrong before anything is tokenized', async () => {
  const file = writeJsonl(root, 'few.jsonl', texts.slice(0, 2));
  await expect(open(path.join(root, 'absent'))).rejects.toThrow(UnknownDatasetFormatError);
  await expect(open(path.join(TOKENIZER, '..', 'make-tokenizer.py'))).rejects.toThrow(
    /`\.py` are of no known format/,
  );
  await expect(open(writeJsonl(root, 'empty.jsonl', []))).rejects.toThrow(EmptyDatasetError);
  await expect(open(file, { split: '5:9' })).rejects.toThrow(EmptyDatasetError);
  await expect(open(file, { split: 'train' })).rejects.toThrow(
    /no part named `train`: it has no named parts/,
  );
  await expect(open(file, { contextLength: 1 })).rejects.toThrow(InvalidOptionError);
  await expect(openDataset(file, { contextLength: 8 })).rejects.toThrow(/`tokenizer` is missing/);
});

it('is empty if no row can be used, and says why', async () => {
  const dataset = await open(writeJsonl(root, 'unusable.jsonl', [{ text: 'a' }, { text: '' }]), {
    textColumn: 'text',
  });
  await expect(all(dataset.examples())).rejects.toThrow(EmptyDatasetError);
  await expect(all(dataset.examples())).rejects.toThrow(/all 2 rows are unusable: a single token.*no tokens/);
  expect(await all(dataset.examples({ wanted: () => false }))).toEqual([]);
});
