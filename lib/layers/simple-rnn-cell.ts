/** Per-example gradients of `tf.layers.simpleRNNCell`: at each time step a linear map of the input beside the state. */
import tf = require('@tensorflow/tfjs');
import type { LayerGradient } from './layer-gradient';
import { tapActivationInput } from './pre-activation';
import { cellLayout, stepFactors, type RecurrentCell } from './recurrent-cell';
import { variablesOf } from './weight';

interface SimpleRnnCell extends RecurrentCell {
  dropoutMask: tf.Tensor | null;
  recurrentDropoutMask: tf.Tensor | null;
}

export const simpleRnnCellGradient: LayerGradient<SimpleRnnCell> = {
  className: 'SimpleRNNCell',

  parts: ({ kernel, recurrentKernel, bias }, includeBias) => [
    {
      name: '',
      weights: variablesOf(kernel, recurrentKernel, includeBias ? bias : null),
      ...cellLayout,
    },
  ],

  forward: (context, tap) =>
    tapActivationInput(context, (output) => {
      // By now the call has drawn its masks.
      const { dropoutMask, recurrentDropoutMask } = context.layer;
      const [input, state] = context.inputs as [tf.Tensor, tf.Tensor];
      const x = dropoutMask === null ? input : input.mul(dropoutMask);
      const h = recurrentDropoutMask === null ? state : state.mul(recurrentDropoutMask);
      return tap(output, [x, h], (saved, outputGradient) => [stepFactors(saved, outputGradient)]);
    }),
};
