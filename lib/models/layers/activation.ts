/** Activation functions of language models. float32 of any shape to the same. */
import tf = require('@tensorflow/tfjs');
import {
  activate,
  activationGradient,
  activationGradientPlainly,
  gate,
  gateGradients,
  gateGradientsPlainly,
  type ActivationFunction,
} from '../../../kernels/activation';
import type { ModelConfig } from '../model-config';

/**
 * The function with its gradient, which is computed from x alone: nothing else is kept for the backward pass. Right to
 * second order.
 */
function differentiable(name: ActivationFunction): (x: tf.Tensor) => tf.Tensor {
  return (x) =>
    tf.customGrad((input, save) => {
      (save as tf.GradSaveFunc)([input as tf.Tensor]);
      return {
        value: activate(name, input as tf.Tensor),
        gradFunc(dy: tf.Tensor, saved: tf.Tensor[]) {
          const [x] = saved as [tf.Tensor];
          const recorded = tf.engine().isTapeOn();
          return recorded ? activationGradientPlainly(name, x, dy) : activationGradient(name, x, dy);
        },
      };
    })(x);
}

/** By names that survive in a saved tfjs model, which writes `_` into and out of strings. */
export const ACTIVATIONS = {
  gelu: differentiable('gelu'),
  geluTanh: differentiable('geluTanh'),
  relu: (x: tf.Tensor) => tf.relu(x),
  silu: differentiable('silu'),
} as const;

export type ActivationName = keyof typeof ACTIVATIONS;

/** The function of x times factors of the same shape: two linear maps' outputs. Shazeer, arXiv 2002.05202. Right to second order. */
export function gated(name: ActivationName, x: tf.Tensor, factors: tf.Tensor): tf.Tensor {
  if (name === 'relu') return tf.mul(tf.relu(x), factors);
  return tf.customGrad((x, factors, save) => {
    (save as tf.GradSaveFunc)([x as tf.Tensor, factors as tf.Tensor]);
    return {
      value: gate(name, x as tf.Tensor, factors as tf.Tensor),
      gradFunc(dy: tf.Tensor, saved: tf.Tensor[]) {
        const [x, factors] = saved as [tf.Tensor, tf.Tensor];
        const gradients = tf.engine().isTapeOn() ? gateGradientsPlainly : gateGradients;
        return gradients(name, x, factors, dy);
      },
    };
  })(x, factors);
}

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
