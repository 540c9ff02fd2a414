/** The block that most language models are made of. Xiong et al., On Layer Normalization in the Transformer Architecture, 2020. */
import tf = require('@tensorflow/tfjs');
import { applyTo } from './composite-layer';

/** A normalization, and the layer that takes what it gives. */
type Sublayer = readonly [norm: tf.layers.Layer, layer: tf.layers.Layer];

/** x [N, S, C], to which each sublayer's output is added in turn: [N, S, C]. The caller disposes it. */
export function preNorm(x: tf.Tensor, ...sublayers: readonly Sublayer[]): tf.Tensor {
  return tf.tidy(() =>
    sublayers.reduce((sum, [norm, layer]) => tf.add(sum, applyTo(layer, applyTo(norm, sum))), x),
  );
}
