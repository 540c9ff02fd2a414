/** The activations of a three-dimensional convolution: at each output position, the block of the input under the kernel. */
import tf = require('@tensorflow/tfjs');
import { asPositions } from '../../kernels/project';
import { projectPositions } from '../../kernels/project-factors';
import type { ElementScale } from '../../kernels/project-normalized';
import { DenseActivations, type Activations, type ProjectionSides } from './activations';

type Triple = [number, number, number];

/** A three-dimensional convolution's window, channels last. */
export interface VolumeWindow {
  readonly kernelSize: Triple;
  readonly strides: Triple;
  readonly dilations: Triple;
  readonly padding: 'same' | 'valid';
}

/** A [N, D' H' W', kd kh kw C] without forming it, as `PatchActivations` of images. */
export class VolumeActivations implements Activations {
  /** `input` [N, D, H, W, C]. */
  constructor(
    private readonly input: tf.Tensor5D,
    private readonly window: VolumeWindow,
  ) {}

  get inputs(): number {
    const [depth, height, width] = this.window.kernelSize;
    return depth * height * width * this.input.shape[4];
  }

  /** Projecting blocks is itself a convolution, with q random filters. */
  projectGradients(outputGradients: tf.Tensor, sides: ProjectionSides): tf.Tensor3D {
    const { kernelSize, strides, dilations, padding } = this.window;
    const filters = sides.right
      .transposedPart(0, this.inputs)
      .reshape<tf.Tensor5D>([...kernelSize, this.input.shape[4], sides.right.rows]);
    const activations = tf.conv3d(this.input, filters, strides, padding, 'NDHWC', dilations);
    return projectPositions({ ...sides, activations, outputGradients, right: null });
  }

  projectNormalized(outputGradients: tf.Tensor, sides: ProjectionSides, scale: ElementScale): tf.Tensor3D {
    return new DenseActivations(this.materialize()).projectNormalized(outputGradients, sides, scale);
  }

  /** One strided slice of the padded input for each of the kernel's offsets. */
  materialize(): tf.Tensor3D {
    const { kernelSize, strides, dilations, padding } = this.window;
    const [n, , , , channels] = this.input.shape;
    const shape = [...kernelSize, channels, 1] as [...Triple, number, number];
    const info = tf.backend_util.computeConv3DInfo(this.input.shape, shape, strides, dilations, padding);
    const { front, back, top, bottom, left, right } = info.padInfo;
    const margins: [number, number][] = [
      [0, 0],
      [front, back],
      [top, bottom],
      [left, right],
      [0, 0],
    ];
    const padded = this.input.pad(margins);
    const extent = [info.outDepth, info.outHeight, info.outWidth].map(
      (size, axis) => (size - 1) * (strides[axis] ?? 1) + 1,
    );
    const blocks: tf.Tensor3D[] = [];
    for (const offset of offsetsWithin(kernelSize)) {
      const first = offset.map((step, axis) => step * (dilations[axis] ?? 1));
      const begin = [0, ...first, 0];
      const end = [n, ...first.map((start, axis) => start + (extent[axis] ?? 0)), channels];
      blocks.push(asPositions(padded.stridedSlice(begin, end, [1, ...strides, 1])));
    }
    return tf.concat3d(blocks, 2);
  }
}

/** Every [d, h, w] of a kernel, in the order of its elements. */
function offsetsWithin([depth, height, width]: Triple): Triple[] {
  return Array.from({ length: depth * height * width }, (_, i) => [
    Math.floor(i / (height * width)),
    Math.floor(i / width) % height,
    i % width,
  ]);
}
