/** What adapters of recurrent cells share. A cell is called once a time step, with its input and its states. */
import tf = require('@tensorflow/tfjs');
import { DenseActivations } from './activations';
import type { LinearFactors } from './factors';
import type { Layer } from './layer-gradient';
import type { Activation, ActivatedLayer } from './pre-activation';
import type { Weight } from './weight';

export interface RecurrentCell extends ActivatedLayer {
  readonly kernel: NonNullable<Weight>;
  readonly recurrentKernel: NonNullable<Weight>;
  readonly bias: Weight;
}

/** A cell whose gates have an activation of their own, and masks of their own to drop inputs and states by. */
export interface GatedCell extends RecurrentCell, Droppable {
  readonly units: number;
  readonly recurrentActivation: Activation;
}

interface Droppable extends Layer {
  readonly dropout: number;
  readonly recurrentDropout: number;
  readonly dropoutFunc?: (x: tf.Tensor, rate: number) => tf.Tensor;
  /** One mask a gate, drawn in the first time step and used in all. */
  dropoutMask: tf.Tensor[] | null;
  recurrentDropoutMask: tf.Tensor[] | null;
}

/**
 * The input [N, I] and the state [N, U] as the cell's maps see them: with dropout, times masks that are drawn in the
 * first time step as tfjs draws them, one for each of `gates`, of which tfjs uses the first.
 */
export function dropped(
  cell: Droppable,
  [input, state]: tf.Tensor[],
  training: boolean,
  gates: number,
): [tf.Tensor, tf.Tensor] {
  const [x, h] = [input, state] as [tf.Tensor, tf.Tensor];
  const draw = (like: tf.Tensor, rate: number) =>
    Array.from({ length: gates }, () =>
      tf.keep(tf.tidy(() => drawMask(cell, tf.onesLike(like), rate, training))),
    );
  const [inputs, states] = [isRate(cell.dropout), isRate(cell.recurrentDropout)];
  if (inputs) cell.dropoutMask ??= draw(x, cell.dropout);
  if (states) cell.recurrentDropoutMask ??= draw(h, cell.recurrentDropout);
  return [
    inputs ? tf.mul(x, cell.dropoutMask?.[0] as tf.Tensor) : x,
    states ? tf.mul(h, cell.recurrentDropoutMask?.[0] as tf.Tensor) : h,
  ];
}

function drawMask({ dropoutFunc }: Droppable, ones: tf.Tensor, rate: number, training: boolean): tf.Tensor {
  if (!training) return ones;
  return dropoutFunc === undefined ? tf.dropout(ones, rate) : dropoutFunc(ones, rate);
}

function isRate(rate: number): boolean {
  return 0 < rate && rate < 1;
}

/** x W, as tfjs's layers multiply. */
export function dot(x: tf.Tensor, weight: tf.Tensor): tf.Tensor {
  return tf.fused.matMul({ a: x, b: weight });
}

/** How a kernel [I, O], a recurrent kernel [U, O] and, if covered, a bias [O] make one map of input beside state. */
export const cellLayout = {
  asMatrix(tensors: tf.Tensor[]): tf.Tensor2D {
    const { kernel, bias } = cellLayout.asKernel(tensors);
    return tf.concat2d(bias === null ? [kernel] : [kernel, bias.reshape([1, -1])], 0).transpose();
  },

  asKernel([kernel, recurrentKernel, bias]: tf.Tensor[]) {
    const both = [kernel, recurrentKernel] as tf.Tensor2D[];
    return { kernel: tf.concat2d(both, 0), bias: bias ?? null };
  },
};

/** The factors of a cell's map at one time step, from its input [N, I], its state [N, U] and the output gradient [N, O]. */
export function stepFactors([x, h]: tf.Tensor[], outputGradient: tf.Tensor): LinearFactors {
  return {
    activations: new DenseActivations(x as tf.Tensor, h as tf.Tensor),
    outputGradients: outputGradient,
  };
}
