/** What adapters of layers with a kernel, a bias and an activation share. */
import type * as tf from '@tensorflow/tfjs';
import { kernelMatrix } from './gradient-matrix';
import type { LayerGradient } from './layer-gradient';
import { tapPreActivation, type ActivatedLayer } from './pre-activation';
import { trainedVariables, type Weight } from './weight';

export interface KernelLayer extends ActivatedLayer {
  readonly kernel: NonNullable<Weight>;
  readonly bias: Weight;
  readonly useBias: boolean;
}

/** Covers the kernel and the bias, and taps before the activation; `linear` is as in `tapPreActivation`. */
export function kernelLayer<L extends KernelLayer>(
  linear?: (layer: L, inputs: tf.Tensor) => tf.Tensor,
): Pick<LayerGradient<L>, 'weights' | 'asMatrix' | 'forward'> {
  return {
    weights: (layer, includeBias) => trainedVariables(layer, [layer.kernel, includeBias ? layer.bias : null]),

    asMatrix: (_layer, [kernel, bias]) => kernelMatrix(kernel as tf.Tensor, bias),

    forward: (layer, call, inputs, kwargs, tap) =>
      tapPreActivation(
        layer,
        call,
        inputs,
        kwargs,
        (output) => tap(output, [inputs]),
        linear && (() => linear(layer, inputs)),
      ),
  };
}
