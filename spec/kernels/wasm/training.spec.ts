import tf = require('@tensorflow/tfjs');
import { useWasm, values } from './against-cpu';

useWasm();

const EXAMPLES = 8;

const MODELS: Record<string, { inputShape: number[]; vocabulary?: number; layers: () => tf.layers.Layer[] }> =
  {
    'a small CNN': {
      inputShape: [8, 8, 2],
      layers: () => [
        tf.layers.conv2d({ filters: 4, kernelSize: 3, activation: 'relu' }),
        tf.layers.maxPooling2d({ poolSize: 2 }),
        tf.layers.separableConv2d({ filters: 4, kernelSize: 2, padding: 'same' }),
        tf.layers.depthwiseConv2d({ kernelSize: 2 }),
        tf.layers.flatten(),
      ],
    },
    'an embedding with a 1D convolution': {
      inputShape: [6],
      vocabulary: 11,
      layers: () => [
        tf.layers.embedding({ inputDim: 11, outputDim: 4 }),
        tf.layers.conv1d({ filters: 5, kernelSize: 3, activation: 'gelu' }),
        tf.layers.globalAveragePooling1d(),
      ],
    },
    'recurrent layers': {
      inputShape: [3, 3],
      layers: () => [
        tf.layers.lstm({ units: 4, returnSequences: true }),
        tf.layers.bidirectional({ layer: tf.layers.gru({ units: 3 }), mergeMode: 'concat' }),
      ],
    },
    'normalisation layers': {
      inputShape: [6],
      layers: () => [
        tf.layers.dense({ units: 5, activation: 'tanh' }),
        tf.layers.layerNormalization(),
        tf.layers.dense({ units: 5, activation: 'elu' }),
        tf.layers.batchNormalization(),
        tf.layers.dropout({ rate: 0.1, seed: 5 }),
      ],
    },
    'transposed and pooled convolutions': {
      inputShape: [4, 4, 2],
      layers: () => [
        tf.layers.conv2dTranspose({ filters: 3, kernelSize: 2, strides: 2 }),
        tf.layers.averagePooling2d({ poolSize: 2 }),
        tf.layers.prelu(),
        tf.layers.globalMaxPooling2d({}),
      ],
    },
  };

describe('the wasm backend trains', () => {
  it.each(Object.keys(MODELS))('%s', async (name) => {
    const { inputShape, vocabulary, layers } = MODELS[name]!;
    const model = tf.sequential();
    model.add(tf.layers.inputLayer({ inputShape }));
    for (const layer of layers()) model.add(layer);
    model.add(tf.layers.dense({ units: 3, activation: 'softmax' }));
    model.compile({ optimizer: tf.train.adam(0.05), loss: 'categoricalCrossentropy' });
    // Neither weights nor order are left to chance, so that the losses are the same every time.
    model.trainableWeights.forEach((weight, i) => {
      weight.write(tf.randomNormal(weight.shape as number[], 0.2, 0.5, 'float32', i + 1));
    });
    const data = values([EXAMPLES, ...inputShape], 1);
    if (vocabulary !== undefined) data.forEach((_, index) => (data[index] = (index * 7) % vocabulary));
    const x = tf.tensor(data, [EXAMPLES, ...inputShape]);
    const y = tf.oneHot(
      Array.from({ length: EXAMPLES }, (_, example) => example % 3),
      3,
    );
    const { history } = await model.fit(x, y, { epochs: 10, batchSize: 3, shuffle: false, verbose: 0 });
    const losses = history.loss as number[];
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    tf.dispose([x, y]);
    model.dispose();
  });
});
