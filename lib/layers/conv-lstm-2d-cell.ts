/**
 * Per-example gradients of `tf.layers.convLstm2dCell`: at each time step, and for each of four gates, a convolution of
 * the input and one of the state, whose sum is tapped.
 */
import type * as tf from '@tensorflow/tfjs';
import type { ConvolutionWindow } from '../../kernels/project-patches';
import type { Activations } from './activations';
import { toChannelsLast, type DataFormat } from './data-format';
import type { LinearFactors } from './factors';
import { PatchActivations } from './patch-activations';
import { kernelLayout } from './gradient-matrix';
import type { LayerGradient } from './layer-gradient';
import type { RecurrentCell } from './recurrent-cell';
import { viewOf } from './view';
import { variablesOf } from './weight';

const GATES = 4;

interface ConvLstm2dCell extends RecurrentCell {
  readonly filters: number;
  readonly kernelSize: [number, number];
  readonly strides: [number, number];
  readonly dilationRate: [number, number];
  readonly padding: 'same' | 'valid';
  readonly dataFormat: DataFormat;
  inputConv(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor | null, padding: string): tf.Tensor;
  recurrentConv(h: tf.Tensor, kernel: tf.Tensor): tf.Tensor;
}

export const convLstm2dCellGradient: LayerGradient<ConvLstm2dCell> = {
  className: 'ConvLSTM2DCell',

  parts: ({ kernel, recurrentKernel, bias }, includeBias) => [
    {
      name: 'kernel',
      weights: variablesOf(kernel, includeBias ? bias : null),
      ...kernelLayout,
    },
    {
      name: 'recurrentKernel',
      weights: variablesOf(recurrentKernel),
      ...kernelLayout,
    },
  ],

  /**
   * The cell's own `call` on a view of the cell, of which the two convolutions are watched: the call runs that of the
   * input for each gate, then that of the state in the same order.
   */
  forward({ layer, call, inputs, kwargs }, tap) {
    const { kernelSize, strides, dilationRate, padding, dataFormat } = layer;
    const gateInputs: tf.Tensor[] = [];
    let gate = 0;
    const image = (x: tf.Tensor | undefined) => toChannelsLast(x as tf.Tensor, dataFormat) as tf.Tensor4D;
    const ofInput: ConvolutionWindow = { kernelSize, strides, dilations: dilationRate, padding };
    const ofState: ConvolutionWindow = {
      kernelSize,
      strides: [1, 1],
      dilations: [1, 1],
      padding: 'same',
    };
    const inputConv: ConvLstm2dCell['inputConv'] = (x, kernel, bias, padding) => {
      gateInputs.push(x);
      return layer.inputConv(x, kernel, bias, padding);
    };
    const recurrentConv: ConvLstm2dCell['recurrentConv'] = (h, kernel) => {
      const index = gate++;
      const saved = [gateInputs[index] as tf.Tensor, h];
      return tap(layer.recurrentConv(h, kernel), saved, ([x, h], outputGradient) => {
        const gradients = image(outputGradient);
        return [
          ofGate(index, new PatchActivations(image(x), ofInput), gradients),
          ofGate(index, new PatchActivations(image(h), ofState), gradients),
        ];
      });
    };
    return call(viewOf(layer, { inputConv, recurrentConv }), inputs, kwargs);
  },
};

/** D [N, H, W, F] of one gate among the outputs of all, [N, H, W, 4 F]. */
function ofGate(gate: number, activations: Activations, outputGradients: tf.Tensor4D): LinearFactors {
  const filters = outputGradients.shape[3];
  const margins: [number, number] = [gate * filters, (GATES - 1 - gate) * filters];
  return { activations, outputGradients: outputGradients.pad([[0, 0], [0, 0], [0, 0], margins]) };
}
