/** The demo's model: a small convolutional network with the same weights on every run. */
import tf = require('@tensorflow/tfjs');
import { CLASSES, SIDE } from './digits';

/** Two 3x3 convolutions of 8 and 16 filters, each pooled, and a dense layer: 5,258 weights. Compiled. */
export function buildNetwork(): tf.LayersModel {
  const convolution = (filters: number, seed: number) => ({
    filters,
    kernelSize: 3,
    activation: 'relu' as const,
    kernelInitializer: tf.initializers.heNormal({ seed }),
  });
  const model = tf.sequential({
    layers: [
      tf.layers.conv2d({ name: 'conv_1', inputShape: [SIDE, SIDE, 1], ...convolution(8, 1) }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.conv2d({ name: 'conv_2', ...convolution(16, 2) }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({
        name: 'head',
        units: CLASSES,
        activation: 'softmax',
        kernelInitializer: tf.initializers.glorotUniform({ seed: 3 }),
      }),
    ],
  });
  model.compile({
    optimizer: tf.train.adam(2e-3),
    loss: 'categoricalCrossentropy',
    metrics: ['accuracy'],
  });
  return model;
}
