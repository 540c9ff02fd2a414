/** Losses of examples and tokens, in forms that are fast on every backend and right to second order. */
import * as tf from '@tensorflow/tfjs';
import { tensorFlowBackend, typeAttribute } from '../kernels/tensorflow-backend';

/** Cross-entropy of classes given as integers: labels [...] and logits [..., classes] to losses [...]. */
export type CrossEntropy = (labels: tf.Tensor, logits: tf.Tensor) => tf.Tensor;

/**
 * Cross-entropy -log softmax(logits)[label] of every example or token.
 *
 * On the `tensorflow` backend the losses and their gradient come from one TensorFlow operation
 * (SparseSoftmaxCrossEntropyWithLogits); elsewhere they are composed. The gradient can itself be
 * differentiated, which tfjs's own softmax losses cannot (terms silently drop out there).
 *
 * @param labels [...]: whole numbers in [0, classes), any dtype. Mask a padded position by multiplying its loss.
 * @param logits float32 [..., classes].
 * @returns float32 [...]; the caller disposes it.
 */
export function sparseCrossEntropy(labels: tf.Tensor, logits: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const classes = logits.shape.at(-1) ?? 0;
    const ids = tf.cast(labels, 'int32').as1D(); // [examples]
    const flat = tf.reshape(logits, [-1, classes]); // [examples, classes]
    const losses = tf.customGrad((x, save) => {
      const [value, derivative] = lossesAndDerivative(ids, x as tf.Tensor2D);
      (save as tf.GradSaveFunc)([x as tf.Tensor, derivative]);
      return {
        value,
        gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
          const [logits, derivative] = saved as [tf.Tensor, tf.Tensor];
          return tf.mul(tf.expandDims(dy, 1), differentiable(derivative, logits));
        },
      };
    })(flat);
    return tf.reshape(losses, labels.shape);
  });
}

/** The losses [examples] and softmax(logits) - oneHot(labels) [examples, classes]. The caller disposes both. */
function lossesAndDerivative(labels: tf.Tensor1D, logits: tf.Tensor2D): [tf.Tensor, tf.Tensor] {
  const backend = tensorFlowBackend();
  if (backend !== undefined) {
    const attributes = [typeAttribute(backend, 'T', 'float32'), typeAttribute(backend, 'Tlabels', 'int32')];
    return backend.executeMultipleOutputs(
      'SparseSoftmaxCrossEntropyWithLogits',
      attributes,
      [logits, labels],
      2,
    ) as [tf.Tensor, tf.Tensor];
  }
  return tf.tidy(() => {
    const expected = tf.cast(tf.oneHot(labels, logits.shape[1]), 'float32');
    const logProbabilities = tf.logSoftmax(logits);
    const losses = tf.neg(tf.sum(tf.mul(logProbabilities, expected), 1));
    return [losses, tf.sub(tf.exp(logProbabilities), expected)];
  });
}

/**
 * `derivative` as a function of `logits`, which the forward pass computed outside the tape: its vector-Jacobian
 * product is that of softmax, p (v - sum(v p)).
 */
function differentiable(derivative: tf.Tensor, logits: tf.Tensor): tf.Tensor {
  return tf.customGrad((x, save) => {
    (save as tf.GradSaveFunc)([x as tf.Tensor]);
    return {
      value: derivative.clone(),
      gradFunc: (v: tf.Tensor, saved: tf.Tensor[]) => {
        const [logits] = saved as [tf.Tensor];
        const probabilities = tf.softmax(logits);
        const mean = tf.sum(tf.mul(v, probabilities), 1, true);
        return tf.mul(probabilities, tf.sub(v, mean));
      },
    };
  })(logits);
}
