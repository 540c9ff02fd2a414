/** Per-example gradients of `tf.layers.lstmCell`: at each time step one linear map, for all gates, of input beside state. */
import tf = require('@tensorflow/tfjs');
import type { LayerGradient } from './layer-gradient';
import { cellLayout, dot, dropped, stepFactors, type GatedCell } from './recurrent-cell';
import { variablesOf } from './weight';

const GATES = 4;

export const lstmCellGradient: LayerGradient<GatedCell> = {
  className: 'LSTMCell',

  parts: ({ kernel, recurrentKernel, bias }, includeBias) => [
    {
      name: '',
      weights: variablesOf(kernel, recurrentKernel, includeBias ? bias : null),
      ...cellLayout,
    },
  ],

  /** The operations of tfjs's cell. */
  forward: ({ layer, inputs, kwargs }, tap) =>
    tf.tidy(() => {
      const { activation, recurrentActivation, bias } = layer;
      const [x, h] = dropped(layer, inputs, Boolean(kwargs.training), GATES);
      const product = tf.add(dot(x, layer.kernel.read()), dot(h, layer.recurrentKernel.read()));
      const z = tap(bias ? tf.add(product, bias.read()) : product, [x, h], (saved, outputGradient) => [
        stepFactors(saved, outputGradient),
      ]);
      const [z0, z1, z2, z3] = tf.split(z, GATES, 1) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      const i = recurrentActivation.apply(z0);
      const f = recurrentActivation.apply(z1);
      const c = tf.add(tf.mul(f, inputs[2] as tf.Tensor), tf.mul(i, activation.apply(z2)));
      const o = recurrentActivation.apply(z3);
      const output = tf.mul(o, activation.apply(c));
      return [output, output, c];
    }),
};
