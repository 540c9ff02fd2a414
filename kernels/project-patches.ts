/**
 * The projected per-example gradients of a two-dimensional convolution: the definition in plain tfjs operations, and
 * the choice between that and the addon's one operation, which reads patches from the image as it goes.
 */
import tf = require('@tensorflow/tfjs');
import { nativeBackend } from './native';
import type { OpAttribute, TensorFlowBackend } from './tensorflow-backend';
import { asPositions } from './project';
import {
  multiplierOf,
  nativeInputs,
  projectPositions,
  projectPositionsPlainly,
  type Sides,
} from './project-factors';

/** A two-dimensional convolution's geometry, channels last. */
export interface ConvolutionWindow {
  readonly kernelSize: readonly [number, number];
  readonly strides: [number, number];
  readonly dilations: [number, number];
  readonly padding: 'same' | 'valid';
}

/** A convolution's gradients: those of a linear map of the patches under its kernel. */
export interface ProjectedPatches extends Sides {
  /** [N, H, W, C]. */
  readonly image: tf.Tensor4D;
  readonly window: ConvolutionWindow;
  /** Rᵀ [kh kw C, q]. */
  readonly right: tf.Tensor2D;
  /** D [N, H', W', O]. */
  readonly outputGradients: tf.Tensor4D;
}

/**
 * What {@link projectPositions} gives for the patches, in the order of positions, as activations; float32 [N, p, q].
 * Runs inside the caller's `tf.tidy`.
 *
 * @throws Error when the shapes do not fit.
 */
export function projectPatches(patches: ProjectedPatches): tf.Tensor3D {
  const backend = patches.image.dtype === 'float32' ? nativeBackend() : null;
  return backend === null
    ? projectPatchesPlainly(patches, projectPositions)
    : projectPatchesNatively(patches, backend);
}

/** {@link projectPatches} in plain tfjs operations, its definition: projecting patches is a convolution with q filters. */
export function projectPatchesPlainly(
  { image, window, right, ...rest }: ProjectedPatches,
  project = projectPositionsPlainly,
): tf.Tensor3D {
  const { kernelSize, strides, dilations, padding } = window;
  const filters = right.reshape<tf.Tensor4D>([...kernelSize, image.shape[3], right.shape[1]]);
  const activations = tf.conv2d(image, filters, strides, padding, 'NHWC', dilations); // [N, H', W', q]
  return project({ ...rest, activations, right: null });
}

/** {@link projectPatches} by the addon's operation. */
export function projectPatchesNatively(patches: ProjectedPatches, backend: TensorFlowBackend): tf.Tensor3D {
  const attributes = [windowOf(patches.image, patches.window, backend), multiplierOf(patches, backend)];
  const inputs = nativeInputs(patches.image, patches, patches.outputGradients);
  return backend.executeSingleOutput('BergsonProjectPatches', attributes, inputs) as tf.Tensor3D;
}

/** The window as the addon's operations take it. */
export function windowOf(
  image: tf.Tensor4D,
  window: ConvolutionWindow,
  { binding }: TensorFlowBackend,
): OpAttribute {
  return { name: 'window', type: binding.TF_ATTR_INT, value: windowNumbers(image, window) };
}

/** Kernel, stride and dilation, each height and width, and the padding at the top and on the left. */
export function windowNumbers(image: tf.Tensor4D, window: ConvolutionWindow): number[] {
  const { kernelSize, strides, dilations } = window;
  const { top, left } = padding(image, window);
  return [...kernelSize, ...strides, ...dilations, top, left];
}

/** The patches themselves, [N, H' W', kh kw C]: one strided slice of the padded image for each offset of the kernel. */
export function gatherPatches(image: tf.Tensor4D, window: ConvolutionWindow): tf.Tensor3D {
  const { kernelSize, strides, dilations } = window;
  const { top, bottom, left, right, outHeight, outWidth } = padding(image, window);
  const padded = image.pad<tf.Tensor4D>([
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ]);
  const height = (outHeight - 1) * strides[0] + 1;
  const width = (outWidth - 1) * strides[1] + 1;
  const patches: tf.Tensor4D[] = [];
  for (let row = 0; row < kernelSize[0]; row++) {
    for (let column = 0; column < kernelSize[1]; column++) {
      const y = row * dilations[0];
      const x = column * dilations[1];
      const end = [image.shape[0], y + height, x + width, image.shape[3]];
      patches.push(padded.stridedSlice([0, y, x, 0], end, [1, ...strides, 1]) as tf.Tensor4D);
    }
  }
  return asPositions(tf.concat4d(patches, 3));
}

function padding(image: tf.Tensor4D, { kernelSize, strides, dilations, padding }: ConvolutionWindow) {
  const filter: [number, number, number, number] = [...kernelSize, image.shape[3], 1];
  const info = tf.backend_util.computeConv2DInfo(image.shape, filter, strides, dilations, padding);
  return { ...info.padInfo, outHeight: info.outHeight, outWidth: info.outWidth };
}
