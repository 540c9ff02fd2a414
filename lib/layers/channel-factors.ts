/** What the gradients of a scale and a shift by channel are made of, which normalization layers have. */
import type * as tf from '@tensorflow/tfjs';
import type { RowColumn } from '../../kernels/row-terms';
import { channelGradients, type ChannelGradients } from '../../kernels/sum-products';

/** Of values that are normalized already. */
export const STANDARDIZED = { center: null, variance: null, epsilon: 0 } as const;

/** An explicit gradient, made when it is asked for. */
export class ChannelFactors {
  constructor(private readonly channels: ChannelGradients) {}

  /** G [N, O, 1]. Runs inside the caller's `tf.tidy`. */
  get gradient(): tf.Tensor3D {
    return channelGradients(this.channels);
  }

  /** Adds L G_n times `multiplier` to `column`, with Lᵀ [O, p], or null for the identity. */
  addTo(column: RowColumn, left: tf.Tensor2D | null, multiplier: number): void {
    const { outputGradients, values, center, variance, ...rest } = this.channels;
    const channels = {
      ...rest,
      outputGradients: column.keep(outputGradients),
      values: column.keep(values),
      center: center && column.keep(center),
      variance: variance && column.keep(variance),
      left,
      multiplier,
    };
    column.add({ kind: 'channels', channels });
  }
}
