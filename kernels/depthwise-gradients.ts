/**
 * Per-example gradients of a depthwise convolution's kernel: the definition in plain tfjs operations, and the addon's one
 * operation, which takes the patches from the image.
 */
import tf = require('@tensorflow/tfjs');
import { nativeBackend } from './native';
import type { TensorFlowBackend } from './tensorflow-backend';
import { multiplierOf } from './project-factors';
import { windowOf, type ConvolutionWindow } from './project-patches';

export interface DepthwiseFactors {
  /** [N, H, W, C]. */
  readonly image: tf.Tensor4D;
  /** D [N, H', W', C m]. */
  readonly outputGradients: tf.Tensor4D;
  readonly window: ConvolutionWindow;
}

/**
 * Each example's gradient of a depthwise kernel [kh, kw, C, m], float32 [N, C m, kh kw]. Runs inside the caller's
 * `tf.tidy`.
 *
 * @throws Error when the shapes do not fit.
 */
export function depthwiseGradients(factors: DepthwiseFactors): tf.Tensor3D {
  const backend = factors.image.dtype === 'float32' ? nativeBackend() : null;
  return backend === null ? depthwiseGradientsPlainly(factors) : depthwiseGradientsNatively(factors, backend);
}

/**
 * {@link depthwiseGradients} in plain tfjs operations, its definition: the gradient of one image in which the examples'
 * channels lie side by side.
 */
export function depthwiseGradientsPlainly({ image, outputGradients, window }: DepthwiseFactors): tf.Tensor3D {
  const [n, , , channels] = image.shape;
  const outputs = outputGradients.shape[3];
  const [height, width] = window.kernelSize;
  const gradient: tf.Tensor = tf.engine().runKernel(
    tf.DepthwiseConv2dNativeBackpropFilter,
    { x: sideBySide(image), dy: sideBySide(outputGradients) },
    {
      strides: window.strides,
      pad: window.padding,
      dilations: window.dilations,
      filterShape: [height, width, n * channels, outputs / channels],
    },
  );
  return gradient.reshape<tf.Tensor3D>([height * width, n, outputs]).transpose([1, 2, 0]);
}

/** {@link depthwiseGradients} by the addon's operation. */
export function depthwiseGradientsNatively(
  factors: DepthwiseFactors,
  backend: TensorFlowBackend,
): tf.Tensor3D {
  const { image, outputGradients, window } = factors;
  const attributes = [windowOf(image, window, backend), multiplierOf({ multiplier: 1 }, backend)];
  const inputs = [image, outputGradients];
  return backend.executeSingleOutput('BergsonDepthwise', attributes, inputs) as tf.Tensor3D;
}

/** [N, H, W, C] -> [1, H, W, N C]. */
function sideBySide(x: tf.Tensor4D): tf.Tensor4D {
  const [n, height, width, channels] = x.shape;
  return x.transpose([1, 2, 0, 3]).reshape([1, height, width, n * channels]);
}
