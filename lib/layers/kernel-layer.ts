/** What adapters of layers with a kernel, a bias and an activation share. */
import type * as tf from '@tensorflow/tfjs';
import type { LinearFactors } from './factors';
import { kernelLayout } from './gradient-matrix';
import type { LayerGradient } from './layer-gradient';
import { tapPreActivation, type ActivatedLayer } from './pre-activation';
import { variablesOf, type Weight } from './weight';

export interface KernelLayer extends ActivatedLayer {
  readonly kernel: NonNullable<Weight>;
  readonly bias: Weight;
}

export interface LinearMap<L extends KernelLayer> {
  /** The factors of the kernel's gradient, from the layer's input and the gradient before the activation. */
  readonly factors: (layer: L, input: tf.Tensor, outputGradient: tf.Tensor) => LinearFactors;
  /** The layer without its activation, as in `tapPreActivation`. */
  readonly linear?: ((layer: L, input: tf.Tensor) => tf.Tensor) | undefined;
}

/** One part, of the kernel and the bias, tapped before the activation. */
export function kernelLayer<L extends KernelLayer>(
  className: string,
  { factors, linear }: LinearMap<L>,
): LayerGradient<L> {
  return {
    className,

    parts: ({ kernel, bias }, includeBias) => [
      {
        name: '',
        weights: variablesOf(kernel, includeBias ? bias : null),
        ...kernelLayout,
      },
    ],

    forward: (context, tap) =>
      tapPreActivation(
        context,
        (output) =>
          tap(output, context.inputs, ([input], outputGradient) => [
            factors(context.layer, input as tf.Tensor, outputGradient),
          ]),
        linear,
      ),
  };
}
