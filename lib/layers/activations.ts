/**
 * What a layer's linear map was applied to: A [N, S, I] for N examples, S positions and I inputs, kept in
 * whichever form is smallest. A form only says how A meets a matrix; the rest of the method
 * (`example-row.ts`) never sees A itself unless it asks for it. Every method runs inside the caller's `tf.tidy`.
 */
import * as tf from '@tensorflow/tfjs';
import type { ProjectionMatrix } from '../../kernels/projection-matrix';

export interface Activations {
  /** I: the inputs of the linear map, a bias not counted. */
  readonly inputs: number;
  /** A Rᵀ for the first I columns of the right matrix, [N, S, q], as far as it needs more than one product. */
  project(right: ProjectionMatrix): Projected;
  /** A itself, [N, S, I]. */
  materialize(): tf.Tensor3D;
  /** The activations of examples `first` to `first + count`. */
  slice(first: number, count: number): Activations;
  /**
   * D' [N, S, O] whose gradient with these activations is that of D times `scale` [O, I], element by element;
   * null where no such D' exists, that is unless each position has a single non-zero input.
   */
  scaleOutputGradients(outputGradients: tf.Tensor3D, scale: tf.Tensor2D): tf.Tensor3D | null;
}

/** Projected activations, `activations` times `right`; null: they are what they should be. */
export interface Projected {
  readonly activations: tf.Tensor3D;
  readonly right: tf.Tensor2D | null;
}

/** A as plain tensors. */
export class DenseActivations implements Activations {
  /** Inputs side by side, each float32 [N, S, I_k]; most maps have one block. */
  private readonly blocks: readonly tf.Tensor3D[];

  /** `blocks` side by side, each float32 [N, S, I_k]. */
  constructor(...blocks: tf.Tensor3D[]) {
    this.blocks = blocks;
  }

  /** Activations of the same blocks, the positions of each after those of the one before. */
  static join(parts: readonly DenseActivations[]): DenseActivations {
    const [first] = parts;
    if (first === undefined) throw new Error('internal: no activations to join');
    return new DenseActivations(
      ...first.blocks.map((_, block) =>
        tf.concat3d(
          parts.map(({ blocks }) => blocks[block] as tf.Tensor3D),
          1,
        ),
      ),
    );
  }

  get inputs(): number {
    return this.blocks.reduce((sum, { shape }) => sum + shape[2], 0);
  }

  project(right: ProjectionMatrix): Projected {
    return { activations: this.materialize(), right: right.transposedPart(0, this.inputs) };
  }

  materialize(): tf.Tensor3D {
    const [first, ...others] = this.blocks;
    return first !== undefined && others.length === 0 ? first : tf.concat3d([...this.blocks], 2);
  }

  slice(first: number, count: number): DenseActivations {
    return new DenseActivations(...this.blocks.map((block) => block.slice(first, count)));
  }

  scaleOutputGradients(): null {
    return null;
  }
}

/** A whose rows are one-hot: position s of example n has input `ids[n, s]`. */
export class OneHotActivations implements Activations {
  /** `ids` int32 [N, S], below `inputs`. */
  constructor(
    private readonly ids: tf.Tensor2D,
    readonly inputs: number,
  ) {}

  project(right: ProjectionMatrix): Projected {
    const columns = right.gather(this.ids.flatten());
    return { activations: columns.reshape([...this.ids.shape, right.rows]), right: null };
  }

  materialize(): tf.Tensor3D {
    return tf.oneHot(this.ids, this.inputs, 1, 0, 'float32') as tf.Tensor3D;
  }

  slice(first: number, count: number): OneHotActivations {
    return new OneHotActivations(this.ids.slice(first, count), this.inputs);
  }

  scaleOutputGradients(outputGradients: tf.Tensor3D, scale: tf.Tensor2D): tf.Tensor3D {
    const scales = tf.gather(scale, this.ids.flatten(), 1).transpose(); // [N S, O]
    return outputGradients.mul<tf.Tensor3D>(scales.reshape<tf.Tensor3D>(outputGradients.shape));
  }
}
