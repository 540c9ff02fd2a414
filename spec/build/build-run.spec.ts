import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import {
  Attributor,
  buildRun,
  EmptyDatasetError,
  GradientStoreReader,
  loadCausalLM,
  openDataset,
  openNormalizer,
  planBuild,
  RunExistsError,
  RunMismatchError,
  UnknownLayerError,
  type BuildConfig,
  type CausalLM,
  type Run,
  type ShowProgress,
} from '../../callbacks';
import { findAttributedLayers } from '../../lib/capture/attributed-layers';
import { batchGradients } from '../reference/batch-of-one';
import { all, writeJsonl } from '../datasets/support';
import { relativeError, ROUNDING } from '../support/closeness';
import { temporaryDirectory } from '../support/temporary-directory';
import { configs, ROWS, silent } from './support';

const directory = temporaryDirectory();
const config = configs(directory);
const LAYER = 'h.1.attn.c_proj';
/** Rows of which there is a gradient. */
const USABLE = [0, 1, 3, 4, 5];

let lm: CausalLM;
let texts: { id: number; inputIds: Int32Array; labels: Int32Array }[];
beforeAll(async () => {
  const { model, dataset } = config();
  lm = await loadCausalLM(model);
  const opened = await openDataset(dataset, { contextLength: 64, tokenizer: model, textColumn: 'text' });
  texts = await all(opened.examples());
  await opened.close();
});
afterAll(() => {
  lm.model.dispose();
});

function rowsOf(run: Run): Map<number, Float32Array> {
  const store = GradientStoreReader.open(run.storeDirectory());
  const ids = Array.from({ length: store.rows }, (_, id) => id).filter((id) => store.isWritten(id));
  const rows = new Map(ids.map((id) => [id, store.row(id)]));
  store.close();
  return rows;
}

/** The gradient of the sum of a text's token losses by one layer's kernel, [O, I], the text alone in its batch. */
function oracle(id: number): Float32Array {
  const [part] = findAttributedLayers(lm.model, { layers: [LAYER], includeBias: false })[0]?.parts ?? [];
  const { inputIds = new Int32Array() } = texts.find((text) => text.id === id) ?? {};
  const loss = () => {
    const ids = tf.tensor2d(inputIds, [1, inputIds.length], 'int32');
    return lm.tokenLosses(ids, ids).sum<tf.Scalar>();
  };
  if (part === undefined) throw new Error(`no part ${LAYER}`);
  return batchGradients(lm.model, [part], loss, []).get(LAYER) ?? new Float32Array();
}

const scaled = (values: Float32Array, factor: number) => values.map((value) => factor * value);

it('writes the gradient of every text at its row, and counts what has none', async () => {
  const before = tf.memory().numTensors;
  const asked = config({ modules: [LAYER], projectionDim: 'exact' });
  const { run, computed, counts } = await buildRun(asked, silent);
  expect(tf.memory().numTensors).toBe(before);
  expect(computed).toBe(5);
  expect(counts).toMatchObject({
    rows: 6,
    examples: 5,
    truncated: 1,
    skipped: [{ count: 1, firstRows: [2] }],
  });
  const rows = rowsOf(run);
  expect([...rows.keys()]).toEqual(USABLE);
  for (const [id, row] of rows) expect(relativeError(row, oracle(id))).toBeLessThan(ROUNDING);
  expect(run.manifest).toMatchObject({
    state: 'complete',
    examples: 6,
    frozen: {
      attribute: 'examples',
      lossReduction: 'sum',
      model: { path: asked.model, tokenizer: asked.model, architecture: 'gpt2' },
    },
  });
  expect(fs.existsSync(path.join(run.path, 'model'))).toBe(false);
  const records = run.exampleRecords([0, 2, 3]);
  expect(records.get(3)).toMatchObject({ text: ROWS[3]?.text, row: 3 });
  expect(records.get(2)).toEqual({});
});

it('takes the mean over a text’s tokens if asked to', async () => {
  const asked = config({ modules: [LAYER], projectionDim: 'exact', lossReduction: 'mean' });
  for (const [id, row] of rowsOf((await buildRun(asked, silent)).run)) {
    const length = texts.find((text) => text.id === id)?.inputIds.length ?? NaN;
    expect(relativeError(row, scaled(oracle(id), 1 / (length - 1)))).toBeLessThan(ROUNDING);
  }
});

it('multiplies losses by advantages', async () => {
  const columns = { rewardColumn: 'reward', groupColumn: 'group' };
  const asked = config({ modules: [LAYER], projectionDim: 'exact', ...columns });
  // Rewards less their group's mean; that of the empty text counts for its group.
  const advantages = new Map([
    [0, 1 - 2 / 3],
    [1, 0 - 2 / 3],
    [3, 5 - 3],
    [4, 2 - 3],
    [5, 2 - 3],
  ]);
  for (const [id, row] of rowsOf((await buildRun(asked, silent)).run))
    expect(relativeError(row, scaled(oracle(id), advantages.get(id) ?? NaN))).toBeLessThan(ROUNDING);
});

it.each(['adafactor', 'adam'] as const)('divides by second moments that it fits: %s', async (normalizer) => {
  const asked = config({ modules: [LAYER], projectionDim: 'exact', normalizer });
  const { run } = await buildRun(asked, silent);
  expect(run.manifest.normalizer).toBe(normalizer);
  const fitted = openNormalizer(path.join(run.path, 'normalizer.safetensors'));
  const [part] = findAttributedLayers(lm.model, { layers: [LAYER], includeBias: false })[0]?.parts ?? [];
  if (part === undefined) throw new Error(`no part ${LAYER}`);
  const roots = tf.tidy(() => {
    if (!('factoredMoments' in fitted))
      return fitted.secondMoments(part).sqrt().add(fitted.epsilon).dataSync<'float32'>().slice();
    const { rows, columns } = fitted.factoredMoments(part);
    return rows
      .expandDims(1)
      .mul(columns.expandDims(0))
      .div(rows.mean())
      .sqrt()
      .dataSync<'float32'>()
      .slice();
  });
  fitted.dispose();
  for (const [id, row] of rowsOf(run)) {
    const expected = oracle(id).map((value, i) => value / (roots[i] ?? NaN));
    expect(relativeError(row, expected)).toBeLessThan(ROUNDING);
  }
});

it('writes a row for each token but a text’s last, which sum to the text’s row', async () => {
  const byToken = (await buildRun(config({ attribute: 'tokens' }), silent)).run;
  const byText = rowsOf((await buildRun(config(), silent)).run);
  const store = GradientStoreReader.open(byToken.storeDirectory());
  expect(store.rows).toBe(texts.reduce((sum, { inputIds }) => sum + inputIds.length - 1, 0));
  for (const [id, expected] of byText) {
    const [first, end] = store.tokens?.rowsOf(id) ?? [0, 0];
    const sum = new Float32Array(store.width);
    for (let row = first; row < end; row++)
      store.row(row).forEach((value, i) => (sum[i] = (sum[i] ?? 0) + value));
    // Sums of sixty float32 numbers one after another, instead of inside one product.
    expect(relativeError(sum, expected)).toBeLessThan(5 * ROUNDING);
  }
  store.close();
});

it('splits layers by head', async () => {
  const heads = { 'h.0.attn.c_attn': { numHeads: 12, headSize: 16, headDim: 2 } };
  const { run } = await buildRun(config({ heads, modules: ['h.0.attn.*'] }), silent);
  const paths = run.manifest.layers.map(({ path }) => path);
  expect(paths).toHaveLength(13);
  expect(paths).toEqual(expect.arrayContaining(['h.0.attn.c_attn.head_11', 'h.0.attn.c_proj']));
});

it('is queried like any run, and shows texts', async () => {
  const { run } = await buildRun(config({ normalizer: 'adafactor' }), silent);
  const attributor = await Attributor.open(run.path);
  const { inputIds = new Int32Array() } = texts.find(({ id }) => id === 5) ?? {};
  const loss = () => {
    const ids = tf.tensor2d(inputIds, [1, inputIds.length], 'int32');
    return lm.tokenLosses(ids, ids).sum<tf.Scalar>();
  };
  const [row = new Float32Array()] = await attributor.queryRows(lm.model, loss);
  expect(relativeError(row, attributor.row(5))).toBeLessThan(ROUNDING);
  const [trace] = await attributor.search([row], { k: 5, unitNorm: true });
  expect(trace?.highest[0]).toMatchObject({ example: 5, record: { text: 'To be, or not to be' } });
  await attributor.close();
});

/** The bytes of every file of a run but what says when it was begun, and where. */
function bytesOf(run: string): Record<string, string> {
  const files = fs.readdirSync(run, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  return Object.fromEntries(
    files
      .map((file) => path.join(file.parentPath, file.name))
      .map((file) => [path.relative(run, file), fs.readFileSync(file).toString('hex')] as const)
      .filter(([name]) => !['run.msgpack', 'config.yaml'].includes(name)),
  );
}

/** Fails when `stage` has been told of progress `times` times. */
function failingAt(stage: string, times: number): ShowProgress {
  return (label) => {
    let told = 0;
    return {
      update: () => {
        if (label === stage && ++told === times) throw new Error('pulled the plug');
      },
      skip: () => undefined,
      stop: () => undefined,
    };
  };
}

it.each([
  ['reading', 3],
  ['fitting the normalizer', 1],
  ['collecting', 1],
  ['collecting', 3],
])('goes on after it failed while %s, to the same bytes', async (stage, times) => {
  const given = { normalizer: 'adafactor' } as const;
  const whole = await buildRun(config(given), silent);
  const asked = config(given);
  await expect(buildRun(asked, failingAt(stage, times))).rejects.toThrow('pulled the plug');
  // What is cheap to do again is not kept.
  expect(fs.existsSync(asked.run)).toBe(stage === 'collecting');
  const { computed, found, run } = await buildRun(asked, silent);
  expect(computed + found).toBe(5);
  expect(found > 0).toBe(stage === 'collecting');
  expect(bytesOf(run.path)).toEqual(bytesOf(whole.run.path));
});

it('refuses to go on with anything else, by name', async () => {
  const asked = config();
  await expect(buildRun(asked, failingAt('collecting', 1))).rejects.toThrow('pulled the plug');
  const other = writeJsonl(directory, 'other.jsonl', ROWS.slice(0, 3));
  const changes: Partial<BuildConfig>[] = [
    { dataset: other },
    { tokenBatchSize: 64 },
    { normalizer: 'adam' },
    { attribute: 'tokens' },
    { contextLength: 32 },
    { projectionDim: 8 },
  ];
  for (const change of changes) {
    const error = await buildRun({ ...asked, ...change }, silent).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RunMismatchError);
    expect(error).toMatchObject({ what: Object.keys(change)[0] });
  }
  expect((await buildRun(asked, silent)).found).toBeGreaterThan(0);
});

it('leaves nothing behind of a data set without a usable row, of unknown modules, or beside other files', async () => {
  const empty = config({ dataset: writeJsonl(directory, 'empty.jsonl', [{ text: '' }, { text: 7 }]) });
  await expect(buildRun(empty, silent)).rejects.toThrow(EmptyDatasetError);
  const unknown = config({ modules: ['h.*.attention'] });
  await expect(buildRun(unknown, silent)).rejects.toThrow(UnknownLayerError);
  for (const { run } of [empty, unknown]) expect(fs.existsSync(run)).toBe(false);
  const other = config();
  fs.mkdirSync(other.run);
  fs.writeFileSync(path.join(other.run, 'notes.txt'), 'mine');
  await expect(buildRun(other, silent)).rejects.toThrow(RunExistsError);
  expect(fs.readdirSync(other.run)).toEqual(['notes.txt']);
});

it.each(['examples', 'tokens'] as const)(
  'plans the rows and bytes that a build then has: %s',
  async (attribute) => {
    const asked = config({ attribute, normalizer: 'adafactor' });
    const before = tf.memory().numTensors;
    const plan = await planBuild(asked);
    expect(tf.memory().numTensors).toBe(before);
    expect(fs.existsSync(asked.run)).toBe(false);
    expect(plan.seconds.gradients).toBeGreaterThan(0);
    expect(plan.memoryBytes).toBeGreaterThan(0);
    const { run, counts } = await buildRun(asked, silent);
    const store = GradientStoreReader.open(run.storeDirectory());
    expect(plan).toMatchObject({ rows: store.rows, width: store.width, counts });
    store.close();
    const { size } = fs.statSync(path.join(run.storeDirectory(), 'gradients.bin'));
    expect(plan.bytes).toBe(size);
  },
);
