/** The models that benchmarks train: same weights and data on every run, no attribution code. */
import tf = require('@tensorflow/tfjs');
import { CausalSelfAttention, linear, TokenAndPosition, TokenLoss } from './causal-lm';
import type { CrossEntropy } from '../../lib/losses';
import type { Schedule } from './schedule';

/** A compiled model and the data of one epoch. The caller disposes all of it with `disposeBenchModel`. */
export interface BenchModel {
  readonly name: string;
  readonly model: tf.LayersModel;
  /** One tensor an input, the first axis being examples. */
  readonly xs: tf.Tensor[];
  readonly ys: tf.Tensor;
  readonly batchSize: number;
}

export interface BenchModelOptions {
  /** Batches in an epoch. */
  readonly batches: number;
  /** Loss of the language model's tokens; the classifiers use tfjs's own by name. */
  readonly crossEntropy: CrossEntropy;
  /** Default: Adam. */
  readonly optimizer?: OptimizerName;
}

const OPTIMIZERS = {
  adam: () => tf.train.adam(LEARNING_RATE),
  adamax: () => tf.train.adamax(LEARNING_RATE),
  rmsprop: () => tf.train.rmsprop(LEARNING_RATE),
  adagrad: () => tf.train.adagrad(LEARNING_RATE),
  adadelta: () => tf.train.adadelta(LEARNING_RATE),
} as const;

export type OptimizerName = keyof typeof OPTIMIZERS;
export const OPTIMIZER_NAMES = Object.keys(OPTIMIZERS) as OptimizerName[];

export type BenchModelFactory = (options: BenchModelOptions) => BenchModel;

const LEARNING_RATE = 1e-3;
const CLASSES = 10;

/** 784-512-512-10 classifier, batch of 64: 669,706 weights. */
const multilayerPerceptron: BenchModelFactory = ({ batches, optimizer = 'adam' }) => {
  const kernelInitializer = (seed: number) => tf.initializers.heNormal({ seed });
  const model = tf.sequential({
    layers: [
      tf.layers.dense({
        inputShape: [784],
        units: 512,
        activation: 'relu',
        kernelInitializer: kernelInitializer(1),
      }),
      tf.layers.dense({ units: 512, activation: 'relu', kernelInitializer: kernelInitializer(2) }),
      tf.layers.dense({ units: CLASSES, activation: 'softmax', kernelInitializer: kernelInitializer(3) }),
    ],
  });
  return classifier('mlp', model, [784], 64, batches, optimizer);
};

/** Two 3x3 convolutions (32 and 64 filters), each pooled, and two dense layers, batch of 64: 421,642 weights. */
const convolutional: BenchModelFactory = ({ batches, optimizer = 'adam' }) => {
  const kernelInitializer = (seed: number) => tf.initializers.heNormal({ seed });
  const convolution = (filters: number, seed: number) => ({
    filters,
    kernelSize: 3,
    padding: 'same' as const,
    activation: 'relu' as const,
    kernelInitializer: kernelInitializer(seed),
  });
  const model = tf.sequential({
    layers: [
      tf.layers.conv2d({ inputShape: [28, 28, 1], ...convolution(32, 1) }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.conv2d(convolution(64, 2)),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 128, activation: 'relu', kernelInitializer: kernelInitializer(3) }),
      tf.layers.dense({ units: CLASSES, activation: 'softmax', kernelInitializer: kernelInitializer(4) }),
    ],
  });
  return classifier('cnn', model, [28, 28, 1], 64, batches, optimizer);
};

/** The convolutional network with batch normalization before each activation: 421,994 weights, 192 of them averages. */
const normalizedConvolutional: BenchModelFactory = ({ batches, optimizer = 'adam' }) => {
  const kernelInitializer = (seed: number) => tf.initializers.heNormal({ seed });
  const convolution = (filters: number, seed: number) => ({
    filters,
    kernelSize: 3,
    padding: 'same' as const,
    useBias: false,
    kernelInitializer: kernelInitializer(seed),
  });
  const model = tf.sequential({
    layers: [
      tf.layers.conv2d({ inputShape: [28, 28, 1], ...convolution(32, 1) }),
      tf.layers.batchNormalization(),
      tf.layers.reLU(),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.conv2d(convolution(64, 2)),
      tf.layers.batchNormalization(),
      tf.layers.reLU(),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 128, activation: 'relu', kernelInitializer: kernelInitializer(3) }),
      tf.layers.dense({ units: CLASSES, activation: 'softmax', kernelInitializer: kernelInitializer(4) }),
    ],
  });
  return classifier('cnn-bn', model, [28, 28, 1], 64, batches, optimizer);
};

/** One LSTM of 128 units over 28 steps of 28 numbers, batch of 64: 81,674 weights. */
const recurrent: BenchModelFactory = ({ batches, optimizer = 'adam' }) => {
  const model = tf.sequential({
    layers: [
      tf.layers.lstm({
        units: 128,
        inputShape: [28, 28],
        kernelInitializer: tf.initializers.glorotNormal({ seed: 1 }),
        recurrentInitializer: tf.initializers.glorotNormal({ seed: 2 }),
      }),
      tf.layers.dense({
        units: CLASSES,
        activation: 'softmax',
        kernelInitializer: tf.initializers.glorotNormal({ seed: 3 }),
      }),
    ],
  });
  return classifier('lstm', model, [28, 28], 64, batches, optimizer);
};

const WORDS = { vocabulary: 100_000, width: 32, length: 50, batchSize: 64 };

/** The mean of 50 embedded words of 100,000 and a dense layer, batch of 64: 3.2 million weights. */
const wordClassifier: BenchModelFactory = ({ batches, optimizer = 'adam' }) => {
  const { vocabulary, width, length, batchSize } = WORDS;
  const model = tf.sequential({
    layers: [
      tf.layers.embedding({
        inputDim: vocabulary,
        outputDim: width,
        inputLength: length,
        embeddingsInitializer: tf.initializers.randomNormal({ stddev: 1, seed: 1 }),
      }),
      tf.layers.globalAveragePooling1d(),
      tf.layers.dense({
        units: CLASSES,
        activation: 'softmax',
        kernelInitializer: tf.initializers.glorotNormal({ seed: 2 }),
      }),
    ],
  });
  model.compile({ optimizer: OPTIMIZERS[optimizer](), loss: 'categoricalCrossentropy' });
  const examples = batches * batchSize;
  const xs = tf.randomUniform([examples, length], 0, vocabulary, 'int32', 11);
  const ys = tf.tidy(() => tf.oneHot(xs.min(1).mod(tf.scalar(CLASSES, 'int32')).as1D(), CLASSES).toFloat());
  return { name: 'words', model, xs: [xs], ys, batchSize };
};

/** Compiles `model` and makes its data: uniform inputs, classes drawn by a fixed linear teacher. */
function classifier(
  name: string,
  model: tf.Sequential,
  shape: number[],
  batchSize: number,
  batches: number,
  optimizer: OptimizerName,
): BenchModel {
  model.compile({ optimizer: OPTIMIZERS[optimizer](), loss: 'categoricalCrossentropy' });
  const examples = batches * batchSize;
  const width = tf.util.sizeFromShape(shape);
  const xs = tf.randomUniform([examples, ...shape], 0, 1, 'float32', 11);
  const ys = tf.tidy(() => {
    const teacher = tf.randomNormal([width, CLASSES], 0, 1, 'float32', 12);
    const scores = tf.matMul(xs.sub(0.5).reshape([examples, width]), teacher); // [examples, classes]
    return tf.oneHot(scores.argMax(1).as1D(), CLASSES).cast('float32');
  });
  return { name, model, xs: [xs], ys, batchSize };
}

const LM = { vocabulary: 2048, context: 128, width: 256, layers: 4, heads: 4, batchSize: 8 };

/** GPT-like: 4 pre-norm blocks, width 256, 4 heads, context 128, vocabulary 2,048, batch of 8: 4.2 million weights. */
const languageModel: BenchModelFactory = ({ batches, crossEntropy, optimizer = 'adam' }) => {
  const tokens = tf.input({ shape: [LM.context], name: 'tokens' });
  const labels = tf.input({ shape: [LM.context], name: 'labels' });
  const apply = (layer: tf.layers.Layer, inputs: tf.SymbolicTensor | tf.SymbolicTensor[]) =>
    layer.apply(inputs) as tf.SymbolicTensor;
  const normalize = (x: tf.SymbolicTensor, name: string) =>
    apply(tf.layers.layerNormalization({ name, epsilon: 1e-5 }), x);
  const sum = (a: tf.SymbolicTensor, b: tf.SymbolicTensor, name: string) =>
    apply(tf.layers.add({ name }), [a, b]);

  let x = apply(new TokenAndPosition(LM.width, LM.vocabulary, LM.context, 1, 'embedding'), tokens);
  for (let block = 0; block < LM.layers; block++) {
    const seed = 100 * (block + 1);
    const attention = new CausalSelfAttention(LM.width, LM.heads, seed, `attention_${block}`);
    x = sum(x, apply(attention, normalize(x, `norm_attention_${block}`)), `residual_attention_${block}`);
    const up = linear(`mlp_up_${block}`, 4 * LM.width, seed + 10, 'gelu');
    const down = linear(`mlp_down_${block}`, LM.width, seed + 11);
    x = sum(x, apply(down, apply(up, normalize(x, `norm_mlp_${block}`))), `residual_mlp_${block}`);
  }
  const logits = apply(linear('head', LM.vocabulary, 2), normalize(x, 'norm_final'));
  const losses = apply(new TokenLoss(crossEntropy, 'token_loss'), [labels, logits]);
  const model = tf.model({ inputs: [tokens, labels], outputs: losses });
  // The model's output is already its loss, so the targets of `fit` are placeholders.
  model.compile({
    optimizer: OPTIMIZERS[optimizer](),
    loss: (_placeholder: tf.Tensor, loss: tf.Tensor) => loss,
  });

  const examples = batches * LM.batchSize;
  const text = tokenSequences(examples, LM.context + 1);
  const xs = [text.slice([0, 0], [examples, LM.context]), text.slice([0, 1], [examples, LM.context])];
  text.dispose();
  return {
    name: 'gpt',
    model,
    xs,
    ys: tf.zeros([examples, LM.context]),
    batchSize: LM.batchSize,
  };
};

/** Sequences a model can learn something about: each token is a fixed function of the last, or, 1 in 4, random. */
function tokenSequences(examples: number, length: number): tf.Tensor2D {
  const random = tf.tidy(() => tf.randomUniform([examples, length], 0, 1, 'float32', 21).dataSync());
  const values = new Float32Array(examples * length);
  values.forEach((_, i) => {
    const draw = random[i] ?? 0;
    const previous = values[i - 1] ?? 0;
    const fresh = i % length === 0 || draw < 0.25;
    values[i] = fresh ? Math.floor(draw * 8191) % LM.vocabulary : (previous * 5 + 17) % LM.vocabulary;
  });
  return tf.tensor2d(values, [examples, length]);
}

/** Frees the model with its optimizer, and its data. */
export function disposeBenchModel({ model, xs, ys }: BenchModel): void {
  model.optimizer.dispose();
  model.dispose();
  tf.dispose([xs, ys]);
}

/** A model, and how long it trains in each variant: about a minute on two cores. */
interface NamedModel {
  readonly factory: BenchModelFactory;
  readonly schedule: Schedule;
}

export const MODELS: Readonly<Record<string, NamedModel>> = {
  mlp: { factory: multilayerPerceptron, schedule: { stepsATurn: 32, warmUp: 1024, steps: 960 } },
  cnn: { factory: convolutional, schedule: { stepsATurn: 32, warmUp: 512, steps: 640 } },
  'cnn-bn': { factory: normalizedConvolutional, schedule: { stepsATurn: 16, warmUp: 160, steps: 240 } },
  lstm: { factory: recurrent, schedule: { stepsATurn: 16, warmUp: 160, steps: 240 } },
  gpt: { factory: languageModel, schedule: { stepsATurn: 8, warmUp: 16, steps: 64 } },
  words: { factory: wordClassifier, schedule: { stepsATurn: 32, warmUp: 256, steps: 320 } },
};

export function modelNamed(name: string): NamedModel {
  const model = MODELS[name];
  if (model === undefined) throw new Error(`internal: no model ${name}`);
  return model;
}
