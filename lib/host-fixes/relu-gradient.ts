/**
 * Gradient of Relu as TensorFlow's own ReluGrad, one pass over the tensor.
 *
 * tfjs multiplies by `step(x)`, which its `tensorflow` backend composes of IsNan, Greater, two Selects, a Fill
 * and a tensor of ones written element by element in JavaScript. Other backends have a `step` kernel of their
 * own and keep tfjs's gradient.
 */
import tf = require('@tensorflow/tfjs');
import { tensorFlowBackend, typeAttribute } from '../../kernels/tensorflow-backend';

/** Replaces `original`. Differs from it only where x is NaN: the gradient there is 0, not NaN. */
export function reluGradient(original: tf.GradConfig): tf.GradConfig {
  return {
    kernelName: tf.Relu,
    inputsToSave: ['x'],
    gradFunc: (dy, saved, attrs) => {
      const [x] = saved as [tf.Tensor];
      if (tensorFlowBackend() === undefined || x.dtype !== 'float32') {
        return original.gradFunc(dy, saved, attrs);
      }
      return { x: () => maskByPositive(dy as tf.Tensor, x) };
    },
  };
}

/** dy where x > 0, else 0; both of one shape. Differentiable: linear in dy, flat in x. */
function maskByPositive(dy: tf.Tensor, x: tf.Tensor): tf.Tensor {
  return tf.customGrad((dy, x, save) => {
    const backend = tensorFlowBackend();
    if (backend === undefined) throw new Error('internal: the backend changed within a gradient');
    const inputs = [dy as tf.Tensor, x as tf.Tensor];
    (save as tf.GradSaveFunc)([x as tf.Tensor]);
    return {
      value: backend.executeSingleOutput('ReluGrad', [typeAttribute(backend, 'T', 'float32')], inputs),
      gradFunc: (ddy: tf.Tensor, saved: tf.Tensor[]) => {
        const [x] = saved as [tf.Tensor];
        return [maskByPositive(ddy, x), tf.zerosLike(x)];
      },
    };
  })(dy, x);
}
