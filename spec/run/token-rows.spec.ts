import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import {
  Attributor,
  collectGradients,
  GradientStoreReader,
  RunMismatchError,
  sparseCrossEntropy,
  TokenGradientError,
  type CollectGradientsOptions,
  type GradientStoreReader as Reader,
  type LossBatch,
  type Normalizer,
  type Run,
} from '../../callbacks';
import { findAttributedLayers } from '../../lib/capture/attributed-layers';
import { batchGradients } from '../reference/batch-of-one';
import { relativeError, ROUNDING } from '../support/closeness';
import { temporaryDirectory } from '../support/temporary-directory';

const VOCABULARY = 11;
/** One text is a single token, which predicts nothing. */
const TEXTS = [[4, 9, 1, 7, 3], [2, 8], [5], [10, 0, 6, 6]];
const COUNTS = TEXTS.map((text) => text.length - 1);
const BATCHES = [
  [3, 1],
  [0, 2],
];

const directory = temporaryDirectory();
let runs = 0;
const options = (more: Partial<CollectGradientsOptions> = {}): CollectGradientsOptions => ({
  path: path.join(directory, `run-${runs++}`),
  index: false,
  ...more,
});

/** Predicts each next token from the one before it alone, so that every token's loss has a gradient of its own. */
function bigrams(middle: tf.layers.Layer[] = []): tf.LayersModel {
  const seeded = (seed: number) => tf.initializers.glorotUniform({ seed });
  return tf.sequential({
    layers: [
      tf.layers.embedding({
        name: 'tokens',
        inputDim: VOCABULARY,
        outputDim: 6,
        inputShape: [null],
        embeddingsInitializer: seeded(1),
      }),
      tf.layers.dense({ name: 'hidden', units: 70, activation: 'tanh', kernelInitializer: seeded(2) }),
      ...middle,
      tf.layers.dense({ name: 'head', units: VOCABULARY, kernelInitializer: seeded(3) }),
    ],
  });
}

/** Each text's token losses [N, S], zero where padded. */
function tokenLosses(model: tf.LayersModel, texts: readonly (readonly number[])[]): tf.Tensor2D {
  return tf.tidy(() => {
    const longest = Math.max(...texts.map(({ length }) => length));
    const pad = (values: readonly number[]) => [...values, ...Array<number>(longest - values.length).fill(0)];
    const logits = model.apply(tf.tensor2d(texts.map(pad)), { training: false }) as tf.Tensor3D;
    const targets = tf.tensor2d(texts.map((text) => pad(text.slice(1))));
    const mask = tf.tensor2d(texts.map((text) => pad(text.slice(1).map(() => 1))));
    return sparseCrossEntropy(targets, logits).mul(mask);
  });
}

function lossBatches(model: tf.LayersModel): LossBatch[] {
  return BATCHES.map((ids) => ({
    ids: Int32Array.from(ids),
    loss: () =>
      tokenLosses(
        model,
        ids.map((id) => TEXTS[id] ?? []),
      ).sum<tf.Scalar>(),
    dispose: () => undefined,
  }));
}

function openStore(run: Run): Reader {
  return GradientStoreReader.open(run.storeDirectory());
}

it('writes the gradient of each token’s loss as a row, text after text', async () => {
  const model = bigrams();
  const before = tf.memory().numTensors;
  const asked = options({ tokenCounts: COUNTS, projectionDim: 'exact' });
  const { run, computed } = await collectGradients(model, lossBatches(model), asked);
  expect(tf.memory().numTensors).toBe(before);
  expect(computed).toBe(8);
  expect(run.manifest).toMatchObject({ examples: 4, frozen: { attribute: 'tokens' } });
  const store = openStore(run);
  expect(store).toMatchObject({ state: 'complete', rows: 8, rowsWritten: 8, layout: { examples: 4 } });
  const parts = findAttributedLayers(model, { includeBias: true }).flatMap((layer) => layer.parts);
  let row = 0;
  for (const [example, text] of TEXTS.entries()) {
    for (let position = 0; position < text.length - 1; position++) {
      expect(store.tokens?.tokenOf(row)).toEqual({ example, position });
      const pair = text.slice(position, position + 2);
      const oracle = batchGradients(model, parts, (of) => tokenLosses(of, [pair]).sum(), []);
      const expected = parts.flatMap((part) => [...(oracle.get(part.path) ?? [])]);
      expect(relativeError(store.row(row), expected)).toBeLessThan(ROUNDING);
      row++;
    }
  }
  await expect(store.verify()).resolves.toHaveLength(5);
  store.close();
});

const moments: Normalizer = {
  name: 'spec',
  epsilon: 1e-8,
  secondMoments: ({ gradientShape: [outputs, inputs] }) =>
    tf.range(1, 1 + outputs * inputs).reshape([outputs, inputs]),
};

it.each([
  { what: 'projected', more: { projectionDim: 4 } },
  { what: 'without biases', more: { includeBias: false, projectionDim: 4 } },
  { what: 'divided by second moments', more: { normalizer: moments, projectionDim: 4 } },
  { what: 'of one head', more: { attention: { hidden: { numHeads: 2, headSize: 35, headDim: 2 } } } },
])('has tokens’ rows that sum to their text’s, $what', async ({ more }) => {
  const model = bigrams();
  const [byToken, byText] = await Promise.all(
    [{ tokenCounts: COUNTS }, {}].map(async (each) =>
      openStore((await collectGradients(model, lossBatches(model), options({ ...each, ...more }))).run),
    ),
  );
  expect(byToken?.columns).toEqual(byText?.columns);
  for (const example of [0, 1, 3]) {
    const [first, end] = byToken?.tokens?.rowsOf(example) ?? [0, 0];
    const rows = Array.from({ length: end - first }, (_, i) => byToken?.row(first + i) ?? []);
    const sum = Array.from({ length: byToken?.width ?? 0 }, (_, i) =>
      rows.reduce((total, row) => total + (row[i] ?? NaN), 0),
    );
    expect(relativeError(sum, byText?.row(example) ?? [])).toBeLessThan(ROUNDING);
  }
  byToken?.close();
  byText?.close();
});

it('finds tokens, and says which of which text', async () => {
  const model = bigrams();
  const records = TEXTS.map((text) => ({ text: text.join(' ') }));
  const asked = options({ tokenCounts: COUNTS, projectionDim: 'exact', examples: records });
  const { run } = await collectGradients(model, lossBatches(model), asked);
  const attributor = await Attributor.open(run.path);
  const [trace] = await attributor.trace(
    model,
    () => tokenLosses(model, [TEXTS[3]?.slice(1, 3) ?? []]).sum<tf.Scalar>(),
    { k: 1 },
  );
  expect(trace?.highest[0]).toMatchObject({
    example: 3,
    token: { position: 1, row: 6 },
    record: { text: '10 0 6 6' },
  });
  await attributor.close();
});

it('goes on where it was, in the middle of a text', async () => {
  const model = bigrams();
  const [whole, begun] = [options({ tokenCounts: COUNTS }), options({ tokenCounts: COUNTS })];
  for (const each of [whole, begun]) await collectGradients(model, lossBatches(model), each);
  const store = path.join(begun.path, 'train', 'static');
  const written = Uint8Array.from([1, 1, 0, 0, 1, 1, 1, 1]);
  fs.writeFileSync(path.join(store, 'written.bin'), written);
  for (const name of ['store.msgpack', 'norms.safetensors']) fs.rmSync(path.join(store, name));
  const other = collectGradients(model, lossBatches(model), { ...begun, tokenCounts: [4, 1, 1, 2] });
  await expect(other).rejects.toThrow(RunMismatchError);
  const again = await collectGradients(model, lossBatches(model), begun);
  expect(again).toMatchObject({ computed: 2, found: 6 });
  for (const name of fs.readdirSync(store)) {
    expect(fs.readFileSync(path.join(store, name))).toEqual(
      fs.readFileSync(path.join(whole.path, 'train', 'static', name)),
    );
  }
});

it.each([
  { what: 'a gradient summed over tokens', layer: () => tf.layers.layerNormalization({}), layers: undefined },
  {
    what: 'patches for positions',
    layer: () => tf.layers.conv1d({ filters: 3, kernelSize: 2, padding: 'same' }),
    layers: undefined,
  },
])('refuses a layer with $what, by name, and leaves no run', async ({ layer }) => {
  const middle = layer();
  const model = bigrams([middle]);
  const asked = options({ tokenCounts: COUNTS });
  const error = await collectGradients(model, lossBatches(model), asked).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(TokenGradientError);
  expect(error).toMatchObject({ path: middle.name });
  expect(fs.existsSync(asked.path)).toBe(false);
});

it('refuses more tokens than a text has positions', async () => {
  const model = bigrams();
  const before = tf.memory().numTensors;
  const call = collectGradients(model, lossBatches(model), options({ tokenCounts: [9, 1, 0, 3] }));
  await expect(call).rejects.toThrow(/has 4 positions where 9 are tokens|has 5 positions where 9 are tokens/);
  expect(tf.memory().numTensors).toBe(before);
});
