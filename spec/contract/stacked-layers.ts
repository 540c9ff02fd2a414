/** A case of the layer contract: layers one after the other. */
import tf = require('@tensorflow/tfjs');
import type { LayerGradientCase } from './layer-gradient-contract';

/** Random inputs of `inputShape`, through what `layers` makes. */
export function stack(
  name: string,
  inputShape: number[],
  layers: () => tf.layers.Layer[],
  options: Pick<
    LayerGradientCase,
    'untrainable' | 'training' | 'attention' | 'mixesExamples' | 'wrongOnWasm'
  > = {},
): LayerGradientCase {
  return {
    name,
    ...options,
    build() {
      const input = tf.input({ shape: inputShape });
      const output = layers().reduce((x, layer) => layer.apply(x) as tf.SymbolicTensor, input);
      return tf.model({ inputs: input, outputs: output });
    },
    inputs: (batchSize) => tf.randomNormal([batchSize, ...inputShape], 0, 1, 'float32', 3),
  };
}
