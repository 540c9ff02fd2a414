/** Activation functions each with its gradient by formula. float32 of any shape to the same. */
import * as tf from '@tensorflow/tfjs';
import type { ModelConfig } from '../model-config';

const SLOPE = 2 * Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;

/**
 * Gaussian error linear unit, approximated with tanh: x σ(2 u), u = sqrt(2 / π) (x + 0.044715 x³), since (1 + tanh u) / 2
 * is σ(2 u). Hendrycks & Gimpel, arXiv 1606.08415.
 */
function geluTanh(x: tf.Tensor): tf.Tensor {
  return tf.customGrad((input, save) => {
    const x = input as tf.Tensor;
    const square = tf.square(x);
    const gate = tf.sigmoid(tf.mul(x, tf.add(tf.mul(square, SLOPE * CUBIC), SLOPE)));
    (save as tf.GradSaveFunc)([x, square, gate]);
    return {
      value: tf.mul(x, gate),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [x, square, gate] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
        // σ + x σ (1 - σ) (2 u)', with x (2 u)' = x (a + 3 b x²)
        const steepness = tf.mul(x, tf.add(tf.mul(square, 3 * SLOPE * CUBIC), SLOPE));
        const rise = tf.add(tf.mul(steepness, tf.sub(1, gate)), 1);
        return tf.mul(dy, tf.mul(gate, rise));
      },
    };
  })(x);
}

/** Gaussian error linear unit, x Φ(x). Hendrycks & Gimpel, arXiv 1606.08415. */
function gelu(x: tf.Tensor): tf.Tensor {
  return tf.customGrad((input, save) => {
    const x = input as tf.Tensor;
    const below = tf.add(tf.mul(tf.erf(tf.mul(x, Math.SQRT1_2)), 0.5), 0.5); // Φ(x)
    (save as tf.GradSaveFunc)([x, below]);
    return {
      value: tf.mul(x, below),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [x, below] = saved as [tf.Tensor, tf.Tensor];
        const density = tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
        return tf.mul(dy, tf.add(below, tf.mul(x, density)));
      },
    };
  })(x);
}

/** Sigmoid linear unit, x σ(x), also called swish. Elfwing et al., arXiv 1702.03118. */
function silu(x: tf.Tensor): tf.Tensor {
  return tf.customGrad((input, save) => {
    const x = input as tf.Tensor;
    const gate = tf.sigmoid(x);
    (save as tf.GradSaveFunc)([x, gate]);
    return {
      value: tf.mul(x, gate),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [x, gate] = saved as [tf.Tensor, tf.Tensor];
        return tf.mul(dy, tf.mul(gate, tf.add(tf.mul(x, tf.sub(1, gate)), 1)));
      },
    };
  })(x);
}

/** By names that survive in a saved tfjs model, which writes `_` into and out of strings. */
export const ACTIVATIONS = { gelu, geluTanh, relu: (x: tf.Tensor) => tf.relu(x), silu } as const;

export type ActivationName = keyof typeof ACTIVATIONS;

const HUGGING_FACE_NAMES = {
  gelu: 'gelu',
  gelu_new: 'geluTanh',
  gelu_fast: 'geluTanh',
  gelu_pytorch_tanh: 'geluTanh',
  relu: 'relu',
  silu: 'silu',
  swish: 'silu',
} as const;

/** The activation that a field of `config.json` names. @throws ModelConfigError */
export function readActivation(
  config: ModelConfig,
  field: string,
  otherwise: keyof typeof HUGGING_FACE_NAMES,
): ActivationName {
  const names = Object.keys(HUGGING_FACE_NAMES) as (keyof typeof HUGGING_FACE_NAMES)[];
  return HUGGING_FACE_NAMES[config.choice(field, names, otherwise)];
}
