/** Small models and data that train in milliseconds, the same in every call. */
import tf = require('@tensorflow/tfjs');

export interface TrainingCase {
  readonly name: string;
  readonly build: () => tf.LayersModel;
  /** Inputs and targets of `examples` examples. */
  readonly data: (examples: number) => { xs: tf.Tensor; ys: tf.Tensor };
}

const CLASSES = 3;

function seeded(seed: number) {
  return tf.initializers.glorotUniform({ seed });
}

function compiled(model: tf.LayersModel): tf.LayersModel {
  model.compile({ optimizer: tf.train.adam(0.01), loss: 'categoricalCrossentropy' });
  return model;
}

function labels(examples: number): tf.Tensor {
  return tf.tidy(() =>
    tf.oneHot(tf.randomUniform<tf.Rank.R1>([examples], 0, CLASSES, 'int32', 23), CLASSES).toFloat(),
  );
}

function head(seed: number) {
  return tf.layers.dense({
    units: CLASSES,
    activation: 'softmax',
    kernelInitializer: seeded(seed),
    name: 'head',
  });
}

export const denseCase: TrainingCase = {
  name: 'a dense classifier',
  build: () =>
    compiled(
      tf.sequential({
        layers: [
          tf.layers.dense({
            units: 8,
            activation: 'relu',
            inputShape: [5],
            kernelInitializer: seeded(1),
            name: 'hidden',
          }),
          head(2),
        ],
      }),
    ),
  data: (examples) => ({ xs: tf.randomNormal([examples, 5], 0, 1, 'float32', 17), ys: labels(examples) }),
};

export const convolutionCase: TrainingCase = {
  name: 'a convolutional classifier',
  build: () =>
    compiled(
      tf.sequential({
        layers: [
          tf.layers.conv2d({
            filters: 4,
            kernelSize: 3,
            activation: 'relu',
            inputShape: [6, 6, 1],
            kernelInitializer: seeded(3),
            name: 'convolution',
          }),
          tf.layers.maxPooling2d({ poolSize: 2 }),
          tf.layers.flatten(),
          head(4),
        ],
      }),
    ),
  data: (examples) => ({
    xs: tf.randomNormal([examples, 6, 6, 1], 0, 1, 'float32', 19),
    ys: labels(examples),
  }),
};

export const sequenceCase: TrainingCase = {
  name: 'an embedding classifier with layer normalisation',
  build: () =>
    compiled(
      tf.sequential({
        layers: [
          tf.layers.embedding({
            inputDim: 11,
            outputDim: 6,
            inputLength: 7,
            embeddingsInitializer: seeded(5),
            name: 'tokens',
          }),
          tf.layers.conv1d({
            filters: 5,
            kernelSize: 3,
            activation: 'tanh',
            kernelInitializer: seeded(6),
            name: 'window',
          }),
          tf.layers.layerNormalization({ name: 'norm' }),
          tf.layers.globalAveragePooling1d({}),
          head(7),
        ],
      }),
    ),
  data: (examples) => ({ xs: tf.randomUniform([examples, 7], 0, 11, 'int32', 29), ys: labels(examples) }),
};

/** Two inputs and two outputs, each with a name and a loss of its own. */
export const twoByTwoCase = {
  name: 'a model of two inputs and two outputs',
  build: (): tf.LayersModel => {
    const dense = (name: string, units: number, seed: number, activation?: 'tanh' | 'softmax') =>
      tf.layers.dense({ name, units, activation, kernelInitializer: seeded(seed) });
    const inputs = [tf.input({ shape: [4], name: 'left' }), tf.input({ shape: [3], name: 'right' })];
    const encoded = inputs.map((input, i) => dense(`encoder_${i}`, 5, 11 + i, 'tanh').apply(input));
    const joined = tf.layers.concatenate().apply(encoded as tf.SymbolicTensor[]);
    const outputs = [dense('class', CLASSES, 13, 'softmax'), dense('value', 1, 14)].map((layer) =>
      layer.apply(joined),
    );
    const model = tf.model({ inputs, outputs: outputs as tf.SymbolicTensor[] });
    const loss = { class: 'categoricalCrossentropy', value: 'meanSquaredError' };
    model.compile({ optimizer: tf.train.adam(0.01), loss });
    return model;
  },
  data: (examples: number) => ({
    xs: [4, 3].map((width, i) => tf.randomNormal([examples, width], 0, 1, 'float32', 41 + i)),
    ys: [labels(examples), tf.randomNormal([examples, 1], 0, 1, 'float32', 43)],
  }),
};
