/** Layer and root mean square normalization, in few passes over the data. */
import tf = require('@tensorflow/tfjs');
import { nativeProcessor } from '../kernels/native';
import {
  normalizationGradientNatively,
  normalizationGradientPlainly,
  normalizeNatively,
  normalizePlainly,
  noWeight,
  type Moments,
} from '../kernels/normalization';
import { registerOperation, type TensorFlowBackend } from '../kernels/tensorflow-backend';

export interface Standardization extends Moments {
  /** The axes the moments are over, each in [0, rank). */
  readonly axes: number[];
  /** What the result is multiplied by, and what is then added: each of the axes' shape, or null for none. */
  readonly scale?: tf.Tensor | null;
  readonly shift?: tf.Tensor | null;
}

/**
 * (x - mean) / sqrt(variance + epsilon) times scale plus shift; x / sqrt(mean x² + epsilon) where it is not centered. Right
 * to second order: while an outer gradient is being recorded, the backward pass is made of plain operations of x.
 *
 * Where the addon serves, that is one operation over the last axis, and one backward, which computes the moments of x again.
 *
 * @param x float32, any shape.
 * @returns float32, the shape of x; the caller disposes it.
 * @see Ba, Kiros and Hinton, Layer Normalization, arXiv 1607.06450, equation 4; Zhang and Sennrich, Root Mean Square Layer
 *   Normalization, arXiv 1910.07467, equation 4.
 */
export function standardize(x: tf.Tensor, { axes, scale, shift, ...moments }: Standardization): tf.Tensor {
  return tf.tidy(() => {
    if (nativeProcessor() !== null && axes.length === 1 && axes[0] === x.rank - 1) {
      const inputs = { x, scale: scale ?? noWeight(), shift: shift ?? noWeight() };
      return tf.engine().runKernel<tf.Tensor>(KERNEL, inputs, { ...moments });
    }
    const weightShape = x.shape.map((size, axis) => (axes.includes(axis) ? size : 1));
    let y = standardizePlainly(x, axes, moments);
    if (scale) y = tf.mul(y, tf.reshape(scale, weightShape));
    if (shift) y = tf.add(y, tf.reshape(shift, weightShape));
    return y;
  });
}

function standardizePlainly(x: tf.Tensor, axes: number[], moments: Moments): tf.Tensor {
  return tf.customGrad((input, save) => {
    const values = input as tf.Tensor;
    const { normalized, inverse } = normalizePlainly(values, axes, moments);
    (save as tf.GradSaveFunc)([values, normalized, inverse]);
    return {
      value: normalized,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [x, normalized, inverse] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
        const recorded = tf.engine().isTapeOn();
        const from = recorded ? normalizePlainly(x, axes, moments) : { normalized, inverse };
        return normalizationGradientPlainly(dy, from, axes, moments.centered);
      },
    };
  })(x);
}

/** What the operation is to tfjs. */
const KERNEL = 'BergsonNormalization';

const kernel: tf.KernelConfig = {
  kernelName: KERNEL,
  backendName: 'tensorflow',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { x, scale, shift } = inputs as Record<'x' | 'scale' | 'shift', tf.Tensor>;
    return normalizeNatively(
      x,
      scale,
      shift,
      attrs as unknown as Moments,
      backend as unknown as TensorFlowBackend,
    );
  },
};

const gradient: tf.GradConfig = {
  kernelName: KERNEL,
  inputsToSave: ['x', 'scale'],
  gradFunc(dy, saved, attrs) {
    const [x, scale] = saved as [tf.Tensor, tf.Tensor];
    const moments = attrs as unknown as Moments;
    const gradients = dy as tf.Tensor;
    const last = [x.rank - 1];
    const others = x.shape.map((_, axis) => axis).slice(0, -1);
    return {
      x: () => {
        const backend = nativeProcessor();
        if (backend !== null && !tf.engine().isTapeOn()) {
          return normalizationGradientNatively(x, scale, gradients, moments, backend);
        }
        const scaled = scale.rank === 1 ? tf.mul(gradients, scale) : gradients;
        return normalizationGradientPlainly(
          scaled,
          normalizePlainly(x, last, moments),
          last,
          moments.centered,
        );
      },
      scale: () => tf.sum(tf.mul(gradients, standardize(x, { axes: last, ...moments })), others),
      shift: () => tf.sum(gradients, others),
    };
  },
};

registerOperation(kernel, gradient);
