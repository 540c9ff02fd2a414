import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { stringify } from 'yaml';
import {
  Attributor,
  importIndex,
  ImportModelError,
  loadCausalLM,
  ModelMismatchError,
  type CausalLM,
} from '../../callbacks';
import { openTokenizer } from '../../lib/datasets/tokenizer';
import type { QueryDocument } from '../../scripts/query/document';
import { textInputs } from '../../scripts/query/inputs';
import { writeModel } from '../build/support';
import { relativeError, ROUNDING } from '../support/closeness';
import { runBergson } from '../support/run-bergson';
import { temporaryDirectory } from '../support/temporary-directory';

const GPT2 = path.join(__dirname, '..', 'reference', 'gpt2');
const { input_ids: documents } = JSON.parse(fs.readFileSync(path.join(GPT2, 'token_ids.json'), 'utf8')) as {
  input_ids: number[][];
};
const directory = temporaryDirectory();
let runs = 0;
const fresh = (name: string) => path.join(directory, `${name}-${runs++}`);

/** As Bergson writes it beside an index. */
const PROCESSOR = {
  projection_dim: 8 as number | null,
  reshape_to_square: false,
  projection_type: 'rademacher',
  projection_target: 'per_module',
  projection_scale: 'jl',
  include_bias: false,
};

/** A stored index with what Bergson says of it. */
function indexOf(
  name: string,
  processor: Partial<typeof PROCESSOR> = {},
  more: Record<string, unknown> = {},
): string {
  const index = fresh(name);
  fs.cpSync(path.join(GPT2, name), index, { recursive: true });
  fs.writeFileSync(path.join(index, 'processor_config.yaml'), stringify({ ...PROCESSOR, ...processor }));
  for (const [file, content] of Object.entries(more))
    fs.writeFileSync(path.join(index, file), Buffer.isBuffer(content) ? content : stringify(content));
  return index;
}

let lm: CausalLM;
beforeAll(async () => {
  lm = await loadCausalLM(GPT2);
});

/** The sum of the token losses of these ids. */
const lossOf = (ids: readonly number[]) => () =>
  tf.tidy(() => {
    const inputs = tf.tensor2d([...ids], [1, ids.length], 'int32');
    return lm.tokenLosses(inputs, inputs).sum<tf.Scalar>();
  });

it.each([
  { name: 'index_raw_p8', processor: {}, document: (row: number) => row, rows: 6 },
  { name: 'index_raw_bias_p8', processor: { include_bias: true }, document: (row: number) => row, rows: 6 },
  { name: 'index_heads_p8', processor: {}, document: (row: number) => row, rows: 6 },
  { name: 'index_raw_full', processor: { projection_dim: null }, document: () => 3, rows: 1 },
])('makes the rows of $name by the model', async ({ name, processor, document, rows }) => {
  const run = await importIndex(indexOf(name, processor), fresh('run'), { model: GPT2 });
  const attributor = await Attributor.open(run.path);
  for (let row = 0; row < rows; row++) {
    const [made] = await attributor.queryRows(lm.model, lossOf(documents[document(row)] ?? []));
    expect(relativeError(made ?? [], attributor.row(row))).toBeLessThan(ROUNDING);
  }
  await attributor.close();
});

it('answers the model as Bergson answered its own', async () => {
  const run = await importIndex(indexOf('index_raw_p8'), fresh('run'), { model: GPT2 });
  expect(run.describe()).toContain(`over 6 examples, of the model in ${GPT2}`);
  const attributor = await Attributor.open(run.path);
  const [trace] = await attributor.trace(lm.model, lossOf(documents[0] ?? []), { k: 6 });
  expect(trace?.highest.map(({ example }) => example)).toEqual([0, 5, 1, 4, 3, 2]);
  // Found, and scored, by Bergson's own Attributor.
  const scores = [6431.9560546875, 180.51393127441406, 147.2242431640625, -40.978145599365234];
  const rest = [-137.56744384765625, -472.95257568359375];
  const found = trace?.highest.map(({ score }) => score) ?? [];
  expect(relativeError(found, [...scores, ...rest])).toBeLessThan(ROUNDING);
  const [weight] = lm.model.trainableWeights;
  const before = weight?.read().clone() as tf.Tensor;
  weight?.write(tf.tidy(() => before.add(1)));
  await expect(attributor.queryRows(lm.model, lossOf([1, 2, 3]))).rejects.toThrow(ModelMismatchError);
  weight?.write(before);
  before.dispose();
  await attributor.close();
});

it('is asked by texts on the command line, with the reduction of losses that the index was made with', async () => {
  const model = writeModel(directory);
  const config = {
    steps: [{ build: { index_cfg: { loss_reduction: 'mean' }, preprocess_cfg: { aggregation: 'none' } } }],
  };
  const index = indexOf('index_raw_p8', {}, { 'config.yaml': config });
  const run = fresh('run');
  const imported = runBergson(['import', index, run, '--model', model, '--json']);
  expect({ code: imported.code, stderr: imported.stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(imported.stdout)).toMatchObject({ run, model, lossReduction: 'mean', examples: 6 });
  const text = 'Rivers run to the sea.';
  const { stdout } = runBergson(['query', run, '--text', text, '-k', '6', '--json']);
  const [query] = (JSON.parse(stdout) as QueryDocument).queries;
  const tokenizer = openTokenizer(model, { contextLength: 64, longDocuments: 'truncate' });
  const documents = textInputs('here', [text]).flatMap(({ document }) => document ?? []);
  const [tokenized] = await tokenizer.tokenize(documents);
  const ids = [...(tokenized?.pieces[0]?.inputIds ?? [])];
  const attributor = await Attributor.open(run);
  const mean = () => tf.tidy(() => lossOf(ids)().div<tf.Scalar>(ids.length - 1));
  const [trace] = await attributor.trace(lm.model, mean, { k: 6 });
  const byExample = (hits: readonly { example: number; score: number }[] = []) =>
    [...hits].sort((a, b) => a.example - b.example).map(({ score }) => score);
  expect(relativeError(byExample(query?.highest), byExample(trace?.highest))).toBeLessThan(ROUNDING);
  await attributor.close();
});

/** As `torch.save` begins an archive: with the name of its first tensor, or without any. */
const archive = (name: string) =>
  Buffer.from(`PK\u0003\u0004${'\u0000'.repeat(26)}normalizers/${name}`, 'latin1');

it.each([
  [
    'normal matrices',
    indexOf('index_raw_p8', { projection_type: 'normal' }),
    /`projection_type` .* is "normal", and only "rademacher"/,
  ],
  ['one projection of all', indexOf('index_raw_p8', { projection_target: 'global' }), /`projection_target`/],
  ['rows of norm one', indexOf('index_raw_p8', { projection_scale: 'row_norm' }), /`projection_scale`/],
  ['gradients made square', indexOf('index_raw_p8', { reshape_to_square: true }), /`reshape_to_square`/],
  [
    'normalizers',
    indexOf('index_raw_p8', {}, { 'normalizers.pth': archive('data/0') }),
    /divided by what normalizers.pth holds/,
  ],
  ['another loss', indexOf('index_raw_p8', {}, { 'index_config.json': { loss_fn: 'kl' } }), /`loss_fn`/],
  [
    'layers that the model has not',
    indexOf('index_raw_p8', { projection_dim: 4 }),
    /its columns are h.0.attn.c_attn: 64/,
  ],
])('refuses %s', async (_, index, message) => {
  const run = fresh('refused');
  const call = importIndex(index, run, { model: GPT2 });
  await expect(call).rejects.toThrow(ImportModelError);
  await expect(call).rejects.toThrow(message);
  expect(fs.existsSync(run) || fs.existsSync(`${run}.part`)).toBe(false);
});

it('takes an archive without a tensor for no normalizer', async () => {
  const index = indexOf('index_raw_p8', {}, { 'normalizers.pth': archive('data.pkl') });
  await expect(importIndex(index, fresh('run'), { model: GPT2 })).resolves.toBeDefined();
});

it('needs what Bergson says of its rows', async () => {
  const bare = path.join(GPT2, 'index_raw_p8');
  await expect(importIndex(bare, fresh('run'), { model: GPT2 })).rejects.toThrow(
    /holds no processor_config.yaml/,
  );
});
