/** The activations of a convolution: at each output position, the patch of the input under the kernel. */
import * as tf from '@tensorflow/tfjs';
import type { ProjectionMatrix } from '../../kernels/projection-matrix';
import type { Activations, Projected } from './activations';

/** A two-dimensional convolution's geometry, channels last. */
export interface ConvolutionGeometry {
  readonly kernelSize: readonly [number, number];
  readonly strides: [number, number];
  readonly dilations: [number, number];
  readonly padding: 'same' | 'valid';
}

/** A [N, H' W', kh kw C] without forming it: projecting patches is itself a convolution with q random filters. */
export class PatchActivations implements Activations {
  /** `input` [N, H, W, C]. */
  constructor(
    private readonly input: tf.Tensor4D,
    private readonly geometry: ConvolutionGeometry,
  ) {}

  get inputs(): number {
    const [height, width] = this.geometry.kernelSize;
    return height * width * this.input.shape[3];
  }

  project(right: ProjectionMatrix): Projected {
    const { kernelSize, strides, dilations, padding } = this.geometry;
    const filters = right
      .transposedPart(0, this.inputs)
      .reshape<tf.Tensor4D>([...kernelSize, this.input.shape[3], right.rows]);
    const projected = tf.conv2d(this.input, filters, strides, padding, 'NHWC', dilations);
    return { activations: flattenPositions(projected), right: null };
  }

  /** One strided slice of the padded input for each of the kernel's offsets. */
  materialize(): tf.Tensor3D {
    const { kernelSize, strides, dilations, padding } = this.geometry;
    const [n, , , channels] = this.input.shape;
    const info = tf.backend_util.computeConv2DInfo(
      this.input.shape,
      [...kernelSize, channels, 1],
      strides,
      dilations,
      padding,
    );
    const { top, bottom, left, right } = info.padInfo;
    const padded = this.input.pad<tf.Tensor4D>([
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ]);
    const height = (info.outHeight - 1) * strides[0] + 1;
    const width = (info.outWidth - 1) * strides[1] + 1;
    const patches: tf.Tensor4D[] = [];
    for (let row = 0; row < kernelSize[0]; row++) {
      for (let column = 0; column < kernelSize[1]; column++) {
        const y = row * dilations[0];
        const x = column * dilations[1];
        const begin = [0, y, x, 0];
        const end = [n, y + height, x + width, channels];
        patches.push(padded.stridedSlice(begin, end, [1, ...strides, 1]) as tf.Tensor4D);
      }
    }
    return flattenPositions(tf.concat4d(patches, 3));
  }

  slice(first: number, count: number): PatchActivations {
    return new PatchActivations(this.input.slice(first, count), this.geometry);
  }

  scaleOutputGradients(): null {
    return null;
  }
}

/** [N, H, W, C] -> [N, H W, C]. */
export function flattenPositions(x: tf.Tensor4D): tf.Tensor3D {
  const [n, height, width, channels] = x.shape;
  return x.reshape([n, height * width, channels]);
}
