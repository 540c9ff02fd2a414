/** Small random models of each family against what Hugging Face's transformers computed; language-models/make.py made them. */
import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { CheckpointError, GradientCollector, loadCausalLM, type CausalLM } from '../../callbacks';
import { findTrainedLayers } from '../../lib/capture/trained-layers';
import { localName } from '../../lib/layers/weight';
import { Linear } from '../../lib/models/layers/linear';
import { loadModel, saveModel } from '../../lib/run/model-files';
import { SafetensorsFile } from '../../lib/store/safetensors';
import { relativeError, ROUNDING } from '../support/closeness';
import { temporaryDirectory } from '../support/temporary-directory';
import { batchOfOneGradients, largestError } from './batch-of-one';

const directory = path.join(__dirname, 'language-models');
const MODELS = fs.readdirSync(directory).filter((name) => !name.includes('.'));
const temporary = temporaryDirectory();
const ADAPTER = path.join(directory, 'llama/adapter');

describe.each(MODELS)('%s', (name) => {
  let lm: CausalLM;
  let ids: tf.Tensor2D;
  let expected: SafetensorsFile;
  beforeAll(async () => {
    lm = await loadCausalLM(path.join(directory, name));
    expected = SafetensorsFile.open(path.join(directory, name, 'expected.safetensors'));
    ids = read('ids');
  });
  afterAll(() => {
    lm.model.dispose();
    ids.dispose();
    expected.close();
  });

  function read<R extends tf.Rank>(tensor: string): tf.Tensor<R> {
    const { data, shape, dtype } = expected.read(tensor);
    return tf.tensor(
      data as Float32Array,
      [...shape] as tf.ShapeMap[R],
      dtype === 'I32' ? 'int32' : 'float32',
    );
  }

  const lossSum = () => tf.tidy(() => lm.tokenLosses(ids, ids).sum<tf.Scalar>());

  it('gives its logits and losses', () => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const logits = lm.model.predict(ids) as tf.Tensor;
      expect(logits.shape).toEqual([2, 12, 40]);
      expect(relativeError(logits.dataSync(), read('logits').dataSync())).toBeLessThan(ROUNDING);
      const losses = lm.tokenLosses(ids, ids);
      expect(relativeError(losses.dataSync(), read('losses').dataSync())).toBeLessThan(ROUNDING);
    });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('gives each example’s gradients as if it were alone, and the sum of those of all its weights', () => {
    const collector = new GradientCollector(lm.model, { projectionDim: 'exact', lossReduction: 'sum' });
    expect(collector.coverage.attributed).toBe(lm.model.countParams());
    const { loss, gradients } = collector.run(lossSum);
    const alone = batchOfOneGradients(
      lm.model,
      collector.parts,
      (_, [ids]) => lm.tokenLosses(ids as tf.Tensor2D, ids as tf.Tensor2D).sum(),
      [ids],
    );
    expect(largestError(gradients, alone)).toBeLessThan(ROUNDING);
    const names = [...expected.entries.keys()];
    for (const { layer, parts } of collector.layers) {
      for (const { path, asMatrix } of parts) {
        tf.tidy(() => {
          const tensors = layer.weights.map((weight) => {
            const stored = names.find((each) => `.${each}`.endsWith(`.${localName(weight)}`));
            const tensor = read(stored ?? `no gradient of ${weight.name}`);
            return layer instanceof Linear && tensor.rank === 2 ? tensor.transpose() : tensor;
          });
          const sum = gradients.get(path)?.sum(0).dataSync() ?? [];
          expect(relativeError(sum, asMatrix(tensors).dataSync())).toBeLessThan(ROUNDING);
        });
      }
    }
    tf.dispose([loss, [...gradients.values()]]);
    collector.dispose();
  });
});

describe('llama with an adapter', () => {
  const BASE = path.join(directory, 'llama');
  let expected: SafetensorsFile;
  beforeAll(() => {
    expected = SafetensorsFile.open(path.join(ADAPTER, 'expected.safetensors'));
  });
  afterAll(() => {
    expected.close();
  });
  const values = (tensor: string) => expected.read(tensor).data as Float32Array;
  const readIds = () => tf.tensor2d(expected.read('ids').data as Int32Array, [2, 12], 'int32');

  it('gives its logits, and the gradients of its maps alone', async () => {
    const lm = await loadCausalLM(BASE, { adapter: ADAPTER });
    const maps = [0, 1].flatMap((i) =>
      ['self_attn.q_proj', 'self_attn.v_proj', 'mlp.down_proj'].flatMap((map) =>
        ['A', 'B'].map((side) => `layers.${i}.${map}.lora_${side}`),
      ),
    );
    expect(lm.linearMaps).toEqual(maps);
    const collector = new GradientCollector(lm.model, { projectionDim: 'exact', lossReduction: 'sum' });
    expect(collector.parts.map(({ path }) => path)).toEqual(maps);
    const ids = readIds();
    tf.tidy(() => {
      const logits = lm.model.predict(ids) as tf.Tensor;
      expect(relativeError(logits.dataSync(), values('logits'))).toBeLessThan(ROUNDING);
    });
    const loss = () => tf.tidy(() => lm.tokenLosses(ids, ids).sum<tf.Scalar>());
    const { loss: total, gradients } = collector.run(loss);
    for (const map of maps) {
      const sum = tf.tidy(() => gradients.get(map)?.sum(0).dataSync() ?? []);
      expect(relativeError(sum, values(`base_model.model.model.${map}.weight`))).toBeLessThan(ROUNDING);
    }
    const oracle = batchOfOneGradients(
      lm.model,
      collector.parts,
      (_, [ids]) => lm.tokenLosses(ids as tf.Tensor2D, ids as tf.Tensor2D).sum(),
      [ids],
    );
    expect(largestError(gradients, oracle)).toBeLessThan(ROUNDING);
    tf.dispose([total, [...gradients.values()], ids]);
    collector.dispose();
    lm.model.dispose();
  });

  it('is saved and loaded as a tfjs model, in which the same maps are trained', async () => {
    const copy = path.join(temporary, 'adapted');
    const lm = await loadCausalLM(BASE, { adapter: ADAPTER });
    await saveModel(lm.model, copy);
    const loaded = await loadModel(copy);
    const pathsOf = (model: tf.LayersModel) => findTrainedLayers(model).map(({ path }) => path);
    expect(pathsOf(loaded)).toEqual(pathsOf(lm.model));
    tf.tidy(() => {
      const logits = loaded.predict(readIds()) as tf.Tensor;
      expect(relativeError(logits.dataSync(), values('logits'))).toBeLessThan(ROUNDING);
    });
    loaded.dispose();
    lm.model.dispose();
  });

  it('is saved alone, to the bytes and the configuration that it was read from', async () => {
    const copy = path.join(temporary, 'saved-adapter');
    const lm = await loadCausalLM(BASE, { adapter: ADAPTER });
    lm.save(copy);
    expect(fs.readdirSync(copy).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    const bytes = (of: string) => fs.readFileSync(path.join(of, 'adapter_model.safetensors'));
    const config = (of: string) =>
      JSON.parse(fs.readFileSync(path.join(of, 'adapter_config.json'), 'utf8')) as unknown;
    expect(bytes(copy).equals(bytes(ADAPTER))).toBe(true);
    expect(config(copy)).toEqual(config(ADAPTER));
    // What is trained is what is saved.
    const changed = lm.model.trainableWeights[1];
    tf.tidy(() => {
      changed?.write(tf.ones(changed.shape as [number, number]));
    });
    lm.save(copy, 'bfloat16');
    const again = await loadCausalLM(BASE, { adapter: copy });
    expect(
      again.model.trainableWeights[1]
        ?.read()
        .dataSync()
        .every((value) => value === 1),
    ).toBe(true);
    again.model.dispose();
    lm.model.dispose();
  });

  it('is refused on a model that it is not for, which names the tensor, both shapes and the file', async () => {
    const before = tf.memory().numTensors;
    const error = await loadCausalLM(path.join(directory, 'llama-3'), { adapter: ADAPTER }).catch(
      (error: unknown) => error as Error,
    );
    expect(error).toBeInstanceOf(CheckpointError);
    expect((error as Error).message).toMatch(
      /adapter_model.safetensors: `.*q_proj.lora_B.weight` must be a float tensor of \[32, 3\], found \[16, 3\]/,
    );
    const gpt = loadCausalLM(path.join(directory, 'gpt-neo'), { adapter: ADAPTER });
    await expect(gpt).rejects.toThrow(
      /must be lora_A or lora_B of a linear map under base_model.model.transformer./,
    );
    expect(tf.memory().numTensors).toBe(before);
  });
});
