/** The activations of a convolution: at each output position, the patch of the input under the kernel. */
import type * as tf from '@tensorflow/tfjs';
import { projectNormalizedPatches, type ElementScale } from '../../kernels/project-normalized';
import {
  gatherPatches,
  projectPatches,
  type ConvolutionWindow,
  type ProjectedPatches,
} from '../../kernels/project-patches';
import type { RowColumn } from '../../kernels/row-terms';
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
    return projectPatches(this.projected(outputGradients, sides));
  }

  addTo(column: RowColumn, outputGradients: tf.Tensor, sides: ProjectionSides): void {
    const patches = this.projected(column.keep(outputGradients), sides);
    column.add({ kind: 'patches', patches: { ...patches, image: column.keep(this.input) } });
  }

  projectNormalized(outputGradients: tf.Tensor, sides: ProjectionSides, scale: ElementScale): tf.Tensor3D {
    return projectNormalizedPatches(this.projected(outputGradients, sides), scale);
  }

  materialize(): tf.Tensor3D {
    return gatherPatches(this.input, this.window);
  }

  private projected(outputGradients: tf.Tensor, sides: ProjectionSides): ProjectedPatches {
    return {
      ...sides,
      image: this.input,
      window: this.window,
      right: sides.right.transposedPart(0, this.inputs),
      outputGradients: outputGradients as tf.Tensor4D,
    };
  }
}
