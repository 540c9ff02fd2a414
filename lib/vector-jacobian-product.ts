/** Differentiation inside the backward pass of another one. */
import tf = require('@tensorflow/tfjs');

/**
 * What `body` computes, and for each of `variables` the gradient of that, weighted by `outputGradient` of its shape;
 * null where it does not depend on the variable. Runs inside the caller's `tf.tidy`.
 *
 * tfjs's engine keeps one tape, which the inner differentiation would take for its own and throw away.
 */
export function vectorJacobianProduct(
  body: () => tf.Tensor,
  variables: readonly tf.Variable[],
  outputGradient: tf.Tensor,
): { value: tf.Tensor; gradients: (tf.Tensor | null)[] } {
  const { state } = tf.engine();
  const { activeTape } = state;
  try {
    const { value, grads } = tf.engine().gradients(body, [...variables], outputGradient, true);
    return { value, gradients: grads.map((gradient: tf.Tensor | undefined) => gradient ?? null) };
  } finally {
    if (state.gradientDepth === 0) state.activeTape = activeTape;
  }
}
