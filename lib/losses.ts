/** Losses of examples and tokens, in forms that are fast on every backend and right to second order. */
import tf = require('@tensorflow/tfjs');
import {
  crossEntropyGradientNatively,
  crossEntropyNatively,
  crossEntropyPlainly,
} from '../kernels/cross-entropy';
import { nativeProcessor } from '../kernels/native';
import { tensorFlowBackend, typeAttribute, type TensorFlowBackend } from '../kernels/tensorflow-backend';

/** Cross-entropy of classes given as integers: labels [...] and logits [..., classes] to losses [...]. */
export type CrossEntropy = (labels: tf.Tensor, logits: tf.Tensor) => tf.Tensor;

/**
 * Cross-entropy -log softmax(logits)[label] of every example or token.
 *
 * Where the addon serves, losses and gradient are an operation each, and the logits alone are kept between them. On the
 * `tensorflow` backend without it both come from one TensorFlow operation (SparseSoftmaxCrossEntropyWithLogits); elsewhere
 * they are composed. The gradient can itself be differentiated, which tfjs's own softmax losses cannot (terms silently drop
 * out there).
 *
 * @param labels [...]: whole numbers in [0, classes), any dtype. Mask a padded position by multiplying its loss. Others are
 *   an error on the `tensorflow` backend's processor.
 * @param logits float32 [..., classes].
 * @returns float32 [...]; the caller disposes it.
 */
export function sparseCrossEntropy(labels: tf.Tensor, logits: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const classes = logits.shape.at(-1) ?? 0;
    const ids = tf.cast(labels, 'int32').as1D(); // [examples]
    const flat = tf.reshape<tf.Rank.R2>(logits, [-1, classes]); // [examples, classes]
    const backend = nativeProcessor();
    const losses = backend === null ? crossEntropy(ids, flat) : nativeCrossEntropy(ids, flat, backend);
    return tf.reshape(losses, labels.shape);
  });
}

function nativeCrossEntropy(labels: tf.Tensor1D, logits: tf.Tensor2D, backend: TensorFlowBackend): tf.Tensor {
  return tf.customGrad((x, save) => {
    (save as tf.GradSaveFunc)([x as tf.Tensor, labels]);
    return {
      value: crossEntropyNatively(labels, x as tf.Tensor2D, backend),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [logits, labels] = saved as [tf.Tensor2D, tf.Tensor1D];
        const gradient = (dy: tf.Tensor) =>
          crossEntropyGradientNatively(labels, logits, dy as tf.Tensor1D, backend);
        if (!tf.engine().isTapeOn()) return gradient(dy);
        return tf.mul(tf.expandDims(dy, 1), differentiable(gradient(tf.onesLike(dy)), logits));
      },
    };
  })(logits);
}

function crossEntropy(labels: tf.Tensor1D, logits: tf.Tensor2D): tf.Tensor {
  return tf.customGrad((x, save) => {
    const [value, derivative] = lossesAndDerivative(labels, x as tf.Tensor2D);
    (save as tf.GradSaveFunc)([x as tf.Tensor, derivative]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [logits, derivative] = saved as [tf.Tensor, tf.Tensor];
        return tf.mul(tf.expandDims(dy, 1), differentiable(derivative, logits));
      },
    };
  })(logits);
}

/** The losses [examples] and softmax(logits) - oneHot(labels) [examples, classes]. The caller disposes both. */
function lossesAndDerivative(labels: tf.Tensor1D, logits: tf.Tensor2D): [tf.Tensor, tf.Tensor] {
  const backend = tensorFlowBackend();
  if (backend === undefined) return crossEntropyPlainly(labels, logits);
  const attributes = [typeAttribute(backend, 'T', 'float32'), typeAttribute(backend, 'Tlabels', 'int32')];
  const inputs = [logits, labels];
  const outputs = backend.executeMultipleOutputs(
    'SparseSoftmaxCrossEntropyWithLogits',
    attributes,
    inputs,
    2,
  );
  return outputs as [tf.Tensor, tf.Tensor];
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
