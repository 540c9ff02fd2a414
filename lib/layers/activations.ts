/**
 * What a layer's linear map was applied to: A [N, S, I] for N examples, S positions and I inputs, kept in
 * whichever form is smallest. A form only says how A meets a matrix; the rest of the method
 * (`example-row.ts`) never sees A itself unless it asks for it. Every method runs inside the caller's `tf.tidy`.
 */
import tf = require('@tensorflow/tfjs');
import { asPositions } from '../../kernels/project';
import { projectPositions } from '../../kernels/project-factors';
import { projectNormalized, type ElementScale } from '../../kernels/project-normalized';
import type { ProjectionMatrix } from '../../kernels/projection-matrix';
import type { RowColumn } from '../../kernels/row-terms';

export interface Activations {
  /** I: the inputs of the linear map, a bias not counted. */
  readonly inputs: number;
  /** L G_n Rᵀ times the multiplier, [N, p, q], of the gradients that these activations have with D [N, ..., O]. */
  projectGradients(outputGradients: tf.Tensor, sides: ProjectionSides): tf.Tensor3D;
  /** Adds the same to `column`, for the addon to make later; left out where it cannot. */
  addTo?(column: RowColumn, outputGradients: tf.Tensor, sides: ProjectionSides): void;
  /** The same with each element of the gradients scaled before they are projected. */
  projectNormalized(outputGradients: tf.Tensor, sides: ProjectionSides, scale: ElementScale): tf.Tensor3D;
  /** A itself, [N, S, I]. */
  materialize(): tf.Tensor3D;
  /** A of N S examples with one position each, [N S, 1, I]; only where positions are tokens. */
  separatePositions?(): Activations;
}

/** What both sides of a linear map's gradients are projected with. */
export interface ProjectionSides {
  /** R, whose first I columns are for the activations. */
  readonly right: ProjectionMatrix;
  /** [1, q], R's column for the bias; null where there is none. */
  readonly biasRow: tf.Tensor2D | null;
  /** Lᵀ [O, p]; null for the identity. */
  readonly left: tf.Tensor2D | null;
  readonly multiplier: number;
}

/** A as plain tensors. */
export class DenseActivations implements Activations {
  /** Inputs side by side, each float32 [N, ..., I_k]; most maps have one block. */
  private readonly blocks: readonly tf.Tensor[];

  /** `blocks` side by side, each float32 [N, ..., I_k]: every axis between the first and the last is a position. */
  constructor(...blocks: tf.Tensor[]) {
    this.blocks = blocks;
  }

  /** Activations of the same blocks, the positions of each after those of the one before. */
  static join(parts: readonly DenseActivations[]): DenseActivations {
    const [first] = parts;
    if (first === undefined) throw new Error('internal: no activations to join');
    return new DenseActivations(
      ...first.blocks.map((_, block) => joinPositions(parts.map(({ blocks }) => blocks[block] as tf.Tensor))),
    );
  }

  get inputs(): number {
    return this.blocks.reduce((sum, block) => sum + widthOf(block), 0);
  }

  projectGradients(outputGradients: tf.Tensor, sides: ProjectionSides): tf.Tensor3D {
    const right = sides.right.transposedPart(0, this.inputs);
    return projectPositions({ ...sides, activations: this.whole(), outputGradients, right });
  }

  addTo(column: RowColumn, gradients: tf.Tensor, sides: ProjectionSides): void {
    const { left, multiplier } = sides;
    const outputGradients = column.keep(gradients);
    let first = 0;
    for (const block of this.blocks) {
      const end = first + widthOf(block);
      const right = sides.right.transposedPart(first, end);
      const biasRow = first === 0 ? sides.biasRow : null;
      const activations = column.keep(block);
      column.add({
        kind: 'factors',
        factors: { activations, right, biasRow, outputGradients, left, multiplier },
      });
      first = end;
    }
  }

  projectNormalized(outputGradients: tf.Tensor, sides: ProjectionSides, scale: ElementScale): tf.Tensor3D {
    const right = sides.right.transposedPart(0, this.inputs);
    return projectNormalized({ ...sides, activations: this.whole(), outputGradients, right }, scale);
  }

  materialize(): tf.Tensor3D {
    return asPositions(this.whole());
  }

  separatePositions(): DenseActivations {
    return new DenseActivations(
      ...this.blocks.map((block) => block.reshape([-1, 1, block.shape.at(-1) ?? 0])),
    );
  }

  /** [N, ..., I]. */
  private whole(): tf.Tensor {
    const [first, ...others] = this.blocks;
    return first !== undefined && others.length === 0 ? first : tf.concat([...this.blocks], -1);
  }
}

function widthOf({ shape }: tf.Tensor): number {
  return shape[shape.length - 1] ?? 0;
}

/** The scales [n, O] of the inputs named by `ids` [n], which is less than those of all. */
function scaleOfInputs({ moments, matrix }: ElementScale, ids: tf.Tensor1D): tf.Tensor {
  if (moments === null) return tf.gather(matrix(), ids, 1).transpose();
  const { kernel, correction, epsilon } = moments;
  return tf.gather(kernel, ids).mul(correction).sqrt().add(epsilon).reciprocal();
}

/** The positions of all, one after the other: each [N, ..., C] -> [N, S, C]. */
export function joinPositions(tensors: readonly tf.Tensor[]): tf.Tensor3D {
  if (tensors.some(({ rank }) => rank !== 2)) return tf.concat3d(tensors.map(asPositions), 1);
  const joined = tf.concat2d(tensors as tf.Tensor2D[], 1); // [N, S C], of one position each
  return joined.reshape([joined.shape[0], tensors.length, -1]);
}

/** A whose rows are one-hot: position s of example n has input `ids[n, s]`. */
export class OneHotActivations implements Activations {
  /** `ids` int32 [N, S], below `inputs`. */
  constructor(
    readonly ids: tf.Tensor2D,
    readonly inputs: number,
  ) {}

  projectGradients(outputGradients: tf.Tensor, sides: ProjectionSides): tf.Tensor3D {
    const activations = this.projected(sides.right);
    return projectPositions({ ...sides, activations, outputGradients, right: null });
  }

  addTo(
    column: RowColumn,
    gradients: tf.Tensor,
    { right, biasRow, left, multiplier }: ProjectionSides,
  ): void {
    const activations = column.keep(this.projected(right));
    const outputGradients = column.keep(gradients);
    column.add({
      kind: 'factors',
      factors: { activations, right: null, biasRow, outputGradients, left, multiplier },
    });
  }

  /** Where each position has a single input, scaling the gradient is scaling D. */
  projectNormalized(outputGradients: tf.Tensor, sides: ProjectionSides, scale: ElementScale): tf.Tensor3D {
    const scales = scaleOfInputs(scale, this.ids.flatten()).reshape(outputGradients.shape);
    return this.projectGradients(outputGradients.mul(scales), sides);
  }

  /** A Rᵀ [N, S, q]. */
  private projected(right: ProjectionMatrix): tf.Tensor {
    return right.gather(this.ids.flatten()).reshape([...this.ids.shape, right.rows]);
  }

  separatePositions(): OneHotActivations {
    return new OneHotActivations(this.ids.reshape([-1, 1]), this.inputs);
  }

  materialize(): tf.Tensor3D {
    return tf.oneHot(this.ids, this.inputs, 1, 0, 'float32') as tf.Tensor3D;
  }
}
