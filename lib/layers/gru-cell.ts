/**
 * Per-example gradients of `tf.layers.gruCell`. At each time step there are two linear maps: of the input beside the
 * state, for the update and reset gates, and of the input beside the reset state, for the candidate.
 */
import tf = require('@tensorflow/tfjs');
import type { LayerGradient } from './layer-gradient';
import { cellLayout, dot, dropped, stepFactors, type GatedCell } from './recurrent-cell';
import { variablesOf } from './weight';

const GATES = 3;

export const gruCellGradient: LayerGradient<GatedCell> = {
  className: 'GRUCell',

  parts({ kernel, recurrentKernel, bias, units }, includeBias) {
    const weights = variablesOf(kernel, recurrentKernel, includeBias ? bias : null);
    /** The columns of the weights that make `count` outputs from `first` on. */
    const columns = (first: number, count: number) => ({
      asMatrix: (tensors: tf.Tensor[]) => cellLayout.asMatrix(tensors).slice([first, 0], [count, -1]),
      asKernel(tensors: tf.Tensor[]) {
        const { kernel, bias } = cellLayout.asKernel(tensors);
        return { kernel: kernel.slice([0, first], [-1, count]), bias: bias?.slice(first, count) ?? null };
      },
    });
    return [
      { name: 'gates', weights, ...columns(0, 2 * units) },
      { name: 'candidate', weights, ...columns(2 * units, units) },
    ];
  },

  /** The operations of tfjs's cell. */
  forward: ({ layer, inputs, kwargs }, tap) =>
    tf.tidy(() => {
      const { activation, recurrentActivation, bias, units } = layer;
      const [x, h] = dropped(layer, inputs, Boolean(kwargs.training), GATES);
      const product = dot(x, layer.kernel.read());
      const ofInput = bias ? tf.add(product, bias.read()) : product;
      const recurrentKernels = tf.split(layer.recurrentKernel.read(), [2 * units, units], 1);
      const [ofGates, ofCandidate] = recurrentKernels as [tf.Tensor, tf.Tensor];
      const gates = tap(dot(h, ofGates), [x, h], (saved, outputGradient) => [
        stepFactors(saved, outputGradient),
        null,
      ]);
      const [xz, xr, xh] = tf.split(ofInput, GATES, 1) as [tf.Tensor, tf.Tensor, tf.Tensor];
      const [hz, hr] = tf.split(gates, 2, 1) as [tf.Tensor, tf.Tensor];
      const z = recurrentActivation.apply(tf.add(xz, hz));
      const r = recurrentActivation.apply(tf.add(xr, hr));
      const reset = tf.mul(r, h);
      const candidate = tap(dot(reset, ofCandidate), [x, reset], (saved, outputGradient) => [
        null,
        stepFactors(saved, outputGradient),
      ]);
      const hh = activation.apply(tf.add(xh, candidate));
      const output = tf.add(tf.mul(z, h), tf.mul(tf.add(1, tf.neg(z)), hh));
      return [output, output];
    }),
};
