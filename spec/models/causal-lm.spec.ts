import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import {
  CheckpointError,
  ContextLengthError,
  GradientCollector,
  loadCausalLM,
  ModelConfigError,
  UnknownArchitectureError,
} from '../../callbacks';
import { SafetensorsFile, writeSafetensors, type SafetensorsTensor } from '../../lib/store/safetensors';
import { batchOfOneGradients, largestError } from '../reference/batch-of-one';
import { relativeError, ROUNDING } from '../support/closeness';
import { temporaryDirectory } from '../support/temporary-directory';

const GPT2 = path.join(__dirname, '../reference/gpt2');
const directory = temporaryDirectory();
let copies = 0;

/** A copy of the small GPT-2 with other values in its configuration, and its tensors changed. */
function copyOf(
  config: Record<string, unknown>,
  change: (tensors: Record<string, SafetensorsTensor>) => void = () => undefined,
): string {
  const copy = path.join(directory, `${copies++}`);
  fs.mkdirSync(copy);
  const values = JSON.parse(fs.readFileSync(path.join(GPT2, 'config.json'), 'utf8')) as object;
  fs.writeFileSync(path.join(copy, 'config.json'), JSON.stringify({ ...values, ...config }));
  const file = SafetensorsFile.open(path.join(GPT2, 'model.safetensors'));
  const tensors = Object.fromEntries([...file.entries.keys()].map((name) => [name, file.read(name)]));
  file.close();
  change(tensors);
  writeSafetensors(path.join(copy, 'model.safetensors'), tensors);
  return copy;
}

const randomIds = (examples: number, length: number) =>
  tf.randomUniform<tf.Rank.R2>([examples, length], 0, 512, 'int32', 3);

it('takes ids to logits, with the weights of the file', async () => {
  const { model, config, contextLength, vocabularySize } = await loadCausalLM(GPT2);
  expect({ contextLength, vocabularySize }).toEqual({ contextLength: 64, vocabularySize: 512 });
  expect(config.model_type).toBe('gpt2');
  const before = tf.memory().numTensors;
  const ids = randomIds(2, 5);
  const logits = model.predict(ids) as tf.Tensor;
  expect(logits.shape).toEqual([2, 5, 512]);
  tf.dispose([ids, logits]);
  expect(tf.memory().numTensors).toBe(before);
  model.dispose();
});

it('names its layers as Hugging Face does, and the linear maps among them', async () => {
  const { model, linearMaps } = await loadCausalLM(GPT2);
  const ofBlock = ['attn.c_attn', 'attn.c_proj', 'mlp.c_fc', 'mlp.c_proj'];
  expect(linearMaps).toEqual([0, 1].flatMap((block) => ofBlock.map((map) => `h.${block}.${map}`)));
  const paths = new GradientCollector(model).layers.map(({ path }) => path);
  expect(paths).toEqual(
    expect.arrayContaining(['wte', 'wpe', 'h.0.ln_1', 'h.1.ln_2', 'ln_f', ...linearMaps]),
  );
  model.dispose();
});

it('has per-example gradients of every weight, the embedding’s of both its uses', async () => {
  const { model, tokenLosses } = await loadCausalLM(GPT2);
  const ids = randomIds(3, 7);
  const loss = (_: tf.LayersModel, [ids]: tf.Tensor[]) =>
    tokenLosses(ids as tf.Tensor2D, ids as tf.Tensor2D).mean<tf.Scalar>();
  const before = tf.memory().numTensors;
  const collector = new GradientCollector(model, { projectionDim: 'exact' });
  expect(collector.coverage.attributed).toBe(model.countParams());
  const { loss: value, gradients } = collector.run(() => loss(model, [ids]));
  const expected = batchOfOneGradients(model, collector.parts, loss, [ids]);
  expect(largestError(gradients, expected)).toBeLessThan(ROUNDING);
  tf.dispose([value, [...gradients.values()]]);
  collector.dispose();
  expect(tf.memory().numTensors).toBe(before);
  ids.dispose();
  model.dispose();
});

it('gives a token without a label no loss, whatever is predicted there', async () => {
  const { model, tokenLosses } = await loadCausalLM(GPT2);
  tf.tidy(() => {
    const ids = randomIds(1, 4);
    const all = tokenLosses(ids, ids).arraySync()[0] ?? [];
    const [, second, third] = ids.arraySync()[0] ?? [];
    const labels = tf.tensor2d([[-100, second ?? NaN, -100, -100]], [1, 4], 'int32');
    expect(third).toBeGreaterThanOrEqual(0);
    expect(tokenLosses(ids, labels).arraySync()).toEqual([[all[0], 0, 0]]);
  });
  model.dispose();
});

it('reads files without the base model’s prefix, and of bfloat16', async () => {
  const bare = copyOf({}, (tensors) => {
    for (const [name, { shape, data }] of Object.entries(tensors)) {
      const words = new Uint32Array(data.buffer, data.byteOffset, data.length);
      const upper = Uint16Array.from(words, (word) => word >>> 16);
      Reflect.deleteProperty(tensors, name);
      tensors[name.replace('transformer.', '')] = { dtype: 'BF16', shape, data: upper };
    }
  });
  const [whole, half] = [await loadCausalLM(GPT2), await loadCausalLM(bare)];
  whole.model.weights.forEach((weight, i) => {
    const found = half.model.weights[i]?.read().dataSync() ?? [];
    // Eight bits of fraction, cut off.
    expect(relativeError(found, weight.read().dataSync())).toBeLessThan(2 ** -7);
    expect(new Uint32Array((found as Float32Array).slice().buffer).every((word) => word % 65_536 === 0)).toBe(
      true,
    );
  });
  whole.model.dispose();
  half.model.dispose();
});

describe('refuses', () => {
  const refused = async (model: string) => {
    const before = tf.memory().numTensors;
    const error = await loadCausalLM(model).then(
      () => undefined,
      (error: unknown) => error as Error,
    );
    expect(tf.memory().numTensors).toBe(before);
    return error;
  };
  const NAME = 'transformer.h.1.mlp.c_fc.weight';

  it('an architecture that is not known, and lists those that are', async () => {
    const error = await refused(copyOf({ model_type: 'bert' }));
    expect(error).toBeInstanceOf(UnknownArchitectureError);
    expect(error?.message).toMatch(/`model_type` is bert; the known ones are .*`gpt2`/);
  });

  it('a configuration without a value that is needed, or with one that means nothing', async () => {
    const error = await refused(copyOf({ n_head: -3 }));
    expect(error).toBeInstanceOf(ModelConfigError);
    expect(error?.message).toMatch(/config.json: `n_head` is -3; it must be a positive whole number/);
    expect((await refused(copyOf({ n_layer: undefined })))?.message).toMatch(/`n_layer` is missing/);
    expect((await refused(copyOf({ activation_function: 'mish' })))?.message).toMatch(
      /one of gelu, gelu_new/,
    );
  });

  it('a directory without weights', async () => {
    const copy = copyOf({});
    fs.rmSync(path.join(copy, 'model.safetensors'));
    const error = await refused(copy);
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error?.message).toMatch(/model.safetensors.* must be there, .*found config.json/);
  });

  it('a weight that is missing', async () => {
    const error = await refused(copyOf({}, (tensors) => Reflect.deleteProperty(tensors, NAME)));
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error).toMatchObject({ tensor: NAME });
  });

  it('a weight of another shape, and says both', async () => {
    const error = await refused(copyOf({ n_inner: 128 }));
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error?.message).toMatch(
      /model.safetensors: `transformer.h.0.mlp.c_fc.weight` must be .*\[64, 128\], found \[64, 256\]/,
    );
  });

  it('a quantized weight', async () => {
    const error = await refused(
      copyOf({}, (tensors) => {
        tensors[NAME] = { dtype: 'I8', shape: [64, 256], data: new Int8Array(64 * 256) };
      }),
    );
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error?.message).toMatch(
      /`transformer.h.1.mlp.c_fc.weight` must be a float tensor .*found I8 \(quantized/,
    );
  });

  it('a sequence longer than its context', async () => {
    const { model, tokenLosses } = await loadCausalLM(GPT2);
    const ids = randomIds(1, 65);
    expect(() => tokenLosses(ids, ids)).toThrow(ContextLengthError);
    expect(() => model.predict(ids)).toThrow(ContextLengthError);
    ids.dispose();
    model.dispose();
  });
});
