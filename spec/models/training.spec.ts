import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import {
  applyHostFixes,
  Attributor,
  createCausalLM,
  GradientCollectorCallback,
  GradientStoreReader,
  loadCausalLM,
  prepareForGradientCollection,
  Run,
  WeightOverflowError,
  type CausalLM,
} from '../../callbacks';
import { findAttributedLayers } from '../../lib/capture/attributed-layers';
import { digestWeights, loadModel, saveModel } from '../../lib/run/model-files';
import { encodeBfloat16 } from '../../lib/store/bfloat16';
import { encodeFloat16 } from '../../lib/store/float16';
import { SafetensorsFile } from '../../lib/store/safetensors';
import { batchOfOneGradients } from '../reference/batch-of-one';
import { relativeError, ROUNDING } from '../support/closeness';
import { temporaryDirectory } from '../support/temporary-directory';

const MODELS = path.join(__dirname, '../reference/language-models');
const EXAMPLES = 7;
const CONFIG = {
  model_type: 'llama',
  vocab_size: 20,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 10,
  tie_word_embeddings: true,
  initializer_range: 0.3,
};

const directory = temporaryDirectory();

function data() {
  const ids = tf.randomUniform<tf.Rank.R2>([EXAMPLES, 6], 0, 20, 'int32', 5);
  // Prompts of one token have no loss; the last example has none at all.
  const labels = tf.tidy(() => {
    const row = tf.range(0, 6, 1, 'int32').expandDims(0);
    const last = tf
      .range(0, EXAMPLES, 1, 'int32')
      .expandDims(1)
      .equal(EXAMPLES - 1);
    const ignored = tf.logicalOr(row.less(2), last);
    return tf.where(ignored, tf.fill([EXAMPLES, 6], -100, 'int32'), ids);
  });
  return { xs: [ids, labels], ys: tf.zeros([EXAMPLES, 1]) };
}

describe.each(['mean', 'sum'] as const)('trained on the %s of its tokens’ losses', (reduction) => {
  let lm: CausalLM;
  let model: tf.LayersModel;
  beforeAll(() => {
    lm = createCausalLM(CONFIG, 3);
    model = lm.forTraining(tf.train.adam(0.01), reduction);
  });
  afterAll(() => {
    model.optimizer.dispose();
    model.dispose();
  });

  it('gives each example’s loss, and none to one without labels', () => {
    tf.tidy(() => {
      const { xs } = data();
      const tokens = lm.tokenLosses(...(xs as [tf.Tensor2D, tf.Tensor2D])).arraySync();
      const losses = (model.predict(xs) as tf.Tensor2D).arraySync();
      tokens.forEach((row, example) => {
        const sum = row.reduce((total, loss) => total + loss, 0);
        const labelled = example === EXAMPLES - 1 ? 1 : 4;
        expect(losses[example]?.[0]).toBeCloseTo(reduction === 'sum' ? sum : sum / labelled, 5);
      });
      expect(losses[EXAMPLES - 1]).toEqual([0]);
    });
  });

  it('has the gradients of a batch-of-one loop in `fit`, and a run that can be asked', async () => {
    const { xs, ys } = data();
    const parts = findAttributedLayers(model, { includeBias: true }).flatMap(({ parts }) => parts);
    const own = (model: tf.LayersModel, batch: tf.Tensor[]) =>
      (model.apply(batch) as tf.Tensor).mean<tf.Scalar>();
    const expected = batchOfOneGradients(model, parts, own, xs);

    prepareForGradientCollection(model);
    const run = path.join(directory, reduction);
    const collector = new GradientCollectorCallback({ path: run, projectionDim: 'exact', index: false });
    await model.fit(xs, ys, { batchSize: EXAMPLES, epochs: 2, verbose: 0, callbacks: [collector] });

    const store = GradientStoreReader.open(Run.open(run).storeDirectory('epoch_0'));
    expect(store.columns.map(({ layer }) => layer)).toEqual(parts.map(({ path }) => path));
    for (let example = 0; example < EXAMPLES; example++) {
      const oracle = parts.flatMap(({ path }) => Array.from(expected.get(path)?.[example] ?? []));
      if (example === EXAMPLES - 1) expect(store.row(example).every((value) => value === 0)).toBe(true);
      else expect(relativeError(store.row(example), oracle)).toBeLessThan(ROUNDING);
    }
    store.close();

    const before = tf.memory().numTensors;
    const attributor = await Attributor.open(run);
    const query = { xs: xs.map((x) => x.slice(0, 1)), ys: ys.slice(0, 1) };
    const [trace] = await attributor.trace(model, query, { k: 3 });
    expect(trace?.highest).toHaveLength(3);
    await attributor.close();
    tf.dispose([query.xs, query.ys]);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([xs, ys]);
  });
});

it('has the same weights from the same seed, and others from another', () => {
  const models = [1, 1, 2].map((seed) => createCausalLM(CONFIG, seed).model);
  const [first, again, other] = models.map(digestWeights);
  expect(again).toBe(first);
  expect(other).not.toBe(first);
  for (const model of models) model.dispose();
});

describe.each(['gpt-neo', 'gpt-neox', 'llama', 'llama-3', 'mistral'])('%s', (name) => {
  const original = path.join(MODELS, name);

  it('saves the bytes that it was loaded from', async () => {
    const lm = await loadCausalLM(original);
    const copy = path.join(directory, `saved-${name}`);
    lm.save(copy);
    expect(bytesOf(copy).equals(bytesOf(original))).toBe(true);
    lm.model.dispose();
  });

  it('is saved and loaded as a tfjs model, with and without its loss', async () => {
    const lm = await loadCausalLM(original);
    const training = lm.forTraining(tf.train.sgd(0.1));
    const ids = tf.randomUniform<tf.Rank.R2>([2, 8], 0, 40, 'int32', 3);
    for (const [model, inputs] of [
      [lm.model, ids],
      [training, [ids, ids]],
    ] as const) {
      const copy = path.join(directory, `tfjs-${name}`);
      await saveModel(model, copy);
      const loaded = await loadModel(copy);
      tf.tidy(() => {
        const found = (loaded.predict(inputs as tf.Tensor) as tf.Tensor).dataSync();
        expect(found).toEqual((model.predict(inputs as tf.Tensor) as tf.Tensor).dataSync());
      });
      expect(loaded.layers.map(({ name }) => name)).toEqual(model.layers.map(({ name }) => name));
      loaded.dispose();
    }
    ids.dispose();
    training.optimizer.dispose();
    lm.model.dispose();
  });
});

const bytesOf = (model: string) => fs.readFileSync(path.join(model, 'model.safetensors'));

describe('saved in fewer bits', () => {
  it.each([
    ['float16', 'F16', encodeFloat16],
    ['bfloat16', 'BF16', encodeBfloat16],
  ] as const)('has every weight rounded to %s, and again the same bytes', async (dtype, stored, encode) => {
    const copy = path.join(directory, dtype);
    const lm = createCausalLM({ ...CONFIG, torch_dtype: 'float32' }, 3);
    lm.save(copy, dtype);
    const file = SafetensorsFile.open(path.join(copy, 'model.safetensors'));
    expect(file.entries.size).toBe(lm.model.weights.length);
    const embeddings = lm.model.weights[0]?.read().dataSync<'float32'>() ?? new Float32Array();
    const expected = new Uint16Array(embeddings.length);
    encode(embeddings, expected);
    expect(file.read('model.embed_tokens.weight')).toEqual({ dtype: stored, shape: [20, 8], data: expected });
    file.close();
    const half = await loadCausalLM(copy);
    expect(half.config.torch_dtype).toBe(dtype);
    half.save(`${copy}-again`, dtype);
    expect(bytesOf(`${copy}-again`).equals(bytesOf(copy))).toBe(true);
    lm.model.dispose();
    half.model.dispose();
  });

  it.each([
    ['float16', 65_520],
    ['bfloat16', 3.4e38],
  ] as const)('refuses a weight beyond %s, and keeps the file that there is', (dtype, value) => {
    const copy = path.join(directory, `${dtype}-overflow`);
    const lm = createCausalLM(CONFIG, 3);
    lm.save(copy);
    const before = bytesOf(copy);
    const tensors = tf.memory().numTensors;
    tf.tidy(() => {
      lm.model.weights.at(-1)?.write(tf.fill([8], value));
    });
    const save = () => {
      lm.save(copy, dtype);
    };
    expect(save).toThrow(WeightOverflowError);
    expect(save).toThrow(/a weight of `model.norm.weight` is \d.*, beyond b?float16/);
    expect(tf.memory().numTensors).toBe(tensors);
    expect(fs.readdirSync(copy).sort()).toEqual(['config.json', 'model.safetensors']);
    expect(bytesOf(copy).equals(before)).toBe(true);
    lm.model.dispose();
  });
});

it('learns a sequence by heart, with the host fixes', async () => {
  const undo = applyHostFixes();
  const lm = createCausalLM({ ...CONFIG, num_hidden_layers: 1 }, 1);
  const model = lm.forTraining(tf.train.adam(0.05));
  const ids = tf.tensor2d([[3, 1, 4, 1, 5, 9, 2, 6]], [1, 8], 'int32');
  const ys = tf.zeros([1, 1]);
  const { history } = await model.fit([ids, ids], ys, { epochs: 30, verbose: 0 });
  expect(history.loss?.at(-1)).toBeLessThan(0.1);
  tf.dispose([ids, ys]);
  model.optimizer.dispose();
  model.dispose();
  undo();
});
