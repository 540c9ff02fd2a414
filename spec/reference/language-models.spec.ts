/** Small random models of each family against what Hugging Face's transformers computed; language-models/make.py made them. */
import fs from 'node:fs';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { GradientCollector, loadCausalLM, type CausalLM } from '../../callbacks';
import { localName } from '../../lib/layers/weight';
import { Linear } from '../../lib/models/layers/linear';
import { SafetensorsFile } from '../../lib/store/safetensors';
import { relativeError, ROUNDING } from '../support/closeness';
import { batchOfOneGradients } from './batch-of-one';

const directory = path.join(__dirname, 'language-models');
const MODELS = fs.readdirSync(directory).filter((name) => !name.includes('.'));

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

  it('gives the gradients of all its weights, as the sum of its examples’', () => {
    const collector = new GradientCollector(lm.model, { projectionDim: 'exact', lossReduction: 'sum' });
    expect(collector.coverage.attributed).toBe(lm.model.countParams());
    const { loss, gradients } = collector.run(lossSum);
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

  it('gives each example’s gradients as if it were alone', () => {
    const collector = new GradientCollector(lm.model, { projectionDim: 'exact', lossReduction: 'sum' });
    const { loss, gradients } = collector.run(lossSum);
    const oracle = batchOfOneGradients(
      lm.model,
      collector.parts,
      (_, [ids]) => lm.tokenLosses(ids as tf.Tensor2D, ids as tf.Tensor2D).sum(),
      [ids],
    );
    for (const [path, examples] of oracle) {
      const found = gradients.get(path)?.arraySync() ?? [];
      examples.forEach((gradient, example) => {
        expect(relativeError(found[example]?.flat() ?? [], gradient)).toBeLessThan(ROUNDING);
      });
    }
    tf.dispose([loss, [...gradients.values()]]);
    collector.dispose();
  });
});
