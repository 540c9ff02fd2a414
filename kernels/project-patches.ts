/**
 * The projected per-example gradients of a two-dimensional convolution: the definition in plain tfjs operations, and
 * the choice between that and the addon's one operation, which reads patches from the image as it goes.
 */
import * as tf from '@tensorflow/tfjs';
import { nativeBackend, type NativeBackend } from './native';
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
export function projectPatchesNatively(patches: ProjectedPatches, backend: NativeBackend): tf.Tensor3D {
  const { image, window, outputGradients } = patches;
  const { kernelSize, strides, dilations } = window;
  const { top, left } = tf.backend_util.computeConv2DInfo(
    image.shape,
    [...kernelSize, image.shape[3], 1],
    strides,
    dilations,
    window.padding,
  ).padInfo;
  const value = [...kernelSize, ...strides, ...dilations, top, left];
  const attributes = [
    { name: 'window', type: backend.binding.TF_ATTR_INT, value },
    multiplierOf(patches, backend),
  ];
  const inputs = nativeInputs(image, patches, outputGradients);
  return backend.executeSingleOutput('BergsonProjectPatches', attributes, inputs) as tf.Tensor3D;
}
