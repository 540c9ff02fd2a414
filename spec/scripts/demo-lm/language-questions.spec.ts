import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { trainByteLevelBpe } from '../../../scripts/demo-lm/byte-level-bpe';
import { LanguageQuestions } from '../../../scripts/demo-lm/language-questions';
import { markWords } from '../../../scripts/terminal/words';
import { textInputs } from '../../../scripts/query/inputs';
import { QuerySession } from '../../../scripts/query/session';
import { trainLanguageModel } from '../../../scripts/train/train-language-model';
import { silent } from '../../build/support';
import { writeJsonl } from '../../datasets/support';
import { temporaryDirectory } from '../../support/temporary-directory';

const directory = temporaryDirectory();
const run = path.join(directory, 'run');
const PASSAGES = [
  'The river rises in the hills, and it runs to the sea.',
  'It’s the miller’s naïve café 🙂 in the valley.',
  'Rain on the hills is flour in the mill: so they say.',
  'One, two, three, and a half; and then comes four.',
];

beforeAll(async () => {
  const shape = {
    model_type: 'gpt2',
    vocab_size: 300,
    n_embd: 16,
    n_head: 2,
    n_layer: 2,
    n_positions: 64,
  };
  const write = (name: string, value: unknown) => {
    fs.writeFileSync(path.join(directory, name), JSON.stringify(value));
    return path.join(directory, name);
  };
  write('tokenizer.json', trainByteLevelBpe(PASSAGES, 300));
  const options = {
    run,
    model: {
      config: write('config.json', { ...shape, initializer_range: 0.2 }),
    },
    dataset: writeJsonl(
      directory,
      'passages.jsonl',
      PASSAGES.map((text) => ({ text })),
    ),
    reading: {},
    ...{
      epochs: 2,
      batchSize: 2,
      learningRate: 1e-3,
      warmup: 0,
      weightDecay: 0,
      seed: 1,
    },
    ...({
      projectionDim: 4,
      normalizer: 'none',
      dtype: 'float32',
      index: false,
    } as const),
  };
  await trainLanguageModel(options, silent);
});

it('takes a passage’s score apart by words, which are its text', async () => {
  const before = tf.memory().numTensors;
  const questions = await LanguageQuestions.open(run);
  const row = await questions.row('Rain in the valley is a river.');
  for (const passage of PASSAGES) {
    const words = await questions.words(row, passage);
    expect(words.map(({ text }) => text).join('')).toBe(passage);
    const own = await questions.row(passage);
    const score = own.reduce((sum, value, i) => sum + value * (row[i] ?? 0), 0);
    const size = Math.hypot(...own) * Math.hypot(...row);
    const sum = words.reduce((total, word) => total + word.score, 0);
    // Float32 sums in another order, relative to the size of what is multiplied.
    expect(Math.abs(sum - score) / size).toBeLessThan(1e-5);
    expect(words.filter(({ score: of }) => of !== 0).length).toBeGreaterThan(words.length / 2);
  }
  // Nothing precedes the first token, so nothing predicts it; something does the second.
  const [first, second] = await questions.words(row, 'A mill in the valley.');
  expect(first).toEqual({ text: 'A', score: 0 });
  expect(second?.score).not.toBe(0);
  const { highest } = await questions.trace(await questions.row(PASSAGES[1] ?? ''), 2);
  expect(highest[0]?.example).toBe(1);
  await questions.close();
  expect(tf.memory().numTensors).toBe(before);
});

it('takes scores of a run of training apart by the gradients of the trained model, and says so', async () => {
  const session = await QuerySession.open(run, { engine: 'exact', onTruncated: () => undefined });
  const [question, own] = await session.fromInputs(
    textInputs('here', ['Rain in the valley.', PASSAGES[0] ?? '']),
  );
  const [explanation] = await session.explain(question!, 0, { tokens: true });
  const { example, query } = explanation!.byToken!;
  expect(example).toMatchObject({ of: 'model' });
  const product = own!.row.reduce((sum, value, i) => sum + value * question!.row[i]!, 0);
  const size = Math.hypot(...own!.row) * Math.hypot(...question!.row);
  expect('score' in example && Math.abs(example.score - product) / size).toBeLessThan(1e-5);
  expect(query).toMatchObject({ of: 'row' });
  expect('score' in query && Math.abs(query.score - explanation!.score) / size).toBeLessThan(1e-5);
  await session.close();
});

it('marks the words that add most to a score of its sign', () => {
  const words = [' a', ' b,', ' c', ' d'].map((text, i) => ({
    text,
    score: [3, -2, 1, 0][i] ?? 0,
  }));
  expect(markWords(words, 0.5)).toBe(' [a] b, [c] d');
  expect(markWords(words, -0.5)).toBe(' a [b,] c d');
});
