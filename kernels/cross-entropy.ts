/**
 * Cross-entropy -log softmax(logits)[label] and its gradient: the definition in plain tfjs operations, and the addon's
 * operations, which keep nothing of the softmax.
 */
import tf = require('@tensorflow/tfjs');
import type { TensorFlowBackend } from './tensorflow-backend';

/** The losses [N] of labels [N] and logits [N, classes], and softmax(logits) - oneHot(labels). The caller disposes both. */
export function crossEntropyPlainly(labels: tf.Tensor1D, logits: tf.Tensor2D): [tf.Tensor1D, tf.Tensor2D] {
  return tf.tidy(() => {
    const expected = tf.cast(tf.oneHot(labels, logits.shape[1]), 'float32');
    const logProbabilities = tf.logSoftmax(logits);
    const losses = tf.neg(tf.sum(tf.mul(logProbabilities, expected), 1));
    return [losses as tf.Tensor1D, tf.sub(tf.exp(logProbabilities), expected)];
  });
}

/**
 * The losses [N] of labels int32 [N] and logits [N, classes], by the addon's operation.
 *
 * @throws Error when the shapes do not fit, or a label is no class.
 */
export function crossEntropyNatively(
  labels: tf.Tensor1D,
  logits: tf.Tensor2D,
  backend: TensorFlowBackend,
): tf.Tensor1D {
  return backend.executeSingleOutput('BergsonCrossEntropy', [], [logits, labels]) as tf.Tensor1D;
}

/** The gradient of the logits [N, classes], of output gradients [N], by the addon's operation. */
export function crossEntropyGradientNatively(
  labels: tf.Tensor1D,
  logits: tf.Tensor2D,
  outputGradients: tf.Tensor1D,
  backend: TensorFlowBackend,
): tf.Tensor2D {
  const inputs = [logits, labels, outputGradients];
  return backend.executeSingleOutput('BergsonCrossEntropyGradient', [], inputs) as tf.Tensor2D;
}
