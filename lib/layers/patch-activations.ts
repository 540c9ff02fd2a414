/** The activations of a convolution: at each output position, the patch of the input under the kernel. */
import * as tf from '@tensorflow/tfjs';
import { asPositions } from '../../kernels/project';
import { projectPatches, type ConvolutionWindow } from '../../kernels/project-patches';
import type { Activations, ProjectionSides } from './activations';

/** A [N, H' W', kh kw C] without forming it. */
export class PatchActivations implements Activations {
  /** `input` [N, H, W, C]. */
  constructor(
    private readonly input: tf.Tensor4D,
    private readonly window: ConvolutionWindow,
  ) {}

  get inputs(): number {
    const [height, width] = this.window.kernelSize;
    return height * width * this.input.shape[3];
  }

  projectGradients(outputGradients: tf.Tensor, sides: ProjectionSides): tf.Tensor3D {
    return projectPatches({
      ...sides,
      image: this.input,
      window: this.window,
      right: sides.right.transposedPart(0, this.inputs),
      outputGradients: outputGradients as tf.Tensor4D,
    });
  }

  /** One strided slice of the padded input for each of the kernel's offsets. */
  materialize(): tf.Tensor3D {
    const { kernelSize, strides, dilations, padding } = this.window;
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
    return asPositions(tf.concat4d(patches, 3));
  }

  slice(first: number, count: number): PatchActivations {
    return new PatchActivations(this.input.slice(first, count), this.window);
  }

  scaleOutputGradients(): null {
    return null;
  }
}
