/**
 * Gradients of Sum and Mean by repeating the output's gradient.
 *
 * tfjs's own multiply it by a tensor of ones of the input's size, which JavaScript fills number by number. Batch normalisation
 * takes two means a layer: of a step of a small convolutional network these ones were 12 of 135 ms. Their memory is V8's, which
 * TensorFlow hands on to results: where one of those outlives the step, as what a collector holds does, V8 collects all garbage
 * every step.
 */
import tf = require('@tensorflow/tfjs');

/** Replaces the registered gradient. */
export const sumGradient: tf.GradConfig = {
  kernelName: tf.Sum,
  inputsToSave: ['x'],
  gradFunc: (dy, saved, attrs) => {
    const [x] = saved as [tf.Tensor];
    return { x: () => alongAxes(dy as tf.Tensor, x.shape, reducedAxes(x, attrs)) };
  },
};

/** The same. */
export const meanGradient: tf.GradConfig = {
  kernelName: tf.Mean,
  inputsToSave: ['x'],
  gradFunc: (dy, saved, attrs) => {
    const [x] = saved as [tf.Tensor];
    const outputGradient = dy as tf.Tensor;
    return {
      x: () =>
        alongAxes(tf.div(outputGradient, x.size / outputGradient.size), x.shape, reducedAxes(x, attrs)),
    };
  },
};

function reducedAxes({ shape }: tf.Tensor, attrs: tf.NamedAttrMap): number[] {
  const { axis } = attrs as unknown as tf.SumAttrs;
  return tf.util.parseAxisParam(axis, shape);
}

/** `reduced`, which lacks `axes` of `shape`, or has them as 1, repeated along them. */
function alongAxes(reduced: tf.Tensor, shape: number[], axes: number[]): tf.Tensor {
  if (shape.includes(0)) return tf.zeros(shape);
  const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  return tf.broadcastTo(reduced.reshape(kept), shape);
}
