import tf = require('@tensorflow/tfjs');
import {
  AttentionHeadsError,
  GradientCollector,
  registerLayerGradient,
  type Attention,
  type Factors,
} from '../../callbacks';
import { denseGradient } from '../../lib/layers/dense';

import { describeLayerGradient } from '../contract/layer-gradient-contract';
import { stack } from '../contract/stacked-layers';
import { relativeError, ROUNDING } from '../support/closeness';
import { MultiHeadAttention } from '../support/multi-head-attention';

const { conv1d, conv2d, conv2dTranspose, dense, embedding, layerNormalization, lstm } = tf.layers;

const heads = (numHeads: number, headSize: number, headDim = -1) => ({ numHeads, headSize, headDim });

describeLayerGradient('Dense by head', [
  stack(
    'vectors, beside a layer left whole',
    [4],
    () => [dense({ units: 6, activation: 'tanh', name: 'split' }), dense({ units: 2 })],
    { attention: { split: heads(3, 2, 1) } },
  ),
  stack(
    'many positions, one head larger than what it is projected to',
    [3, 4],
    () => [dense({ units: 6, activation: 'relu', name: 'split' }), dense({ units: 2 })],
    { attention: { split: heads(2, 3, 2) } },
  ),
  stack('heads of one output, no bias', [4], () => [dense({ units: 3, useBias: false, name: 'split' })], {
    attention: { split: heads(3, 1) },
  }),
  {
    name: 'shared, called three times',
    attention: { split: heads(2, 2) },
    build() {
      const shared = dense({ units: 4, activation: 'tanh', name: 'split' });
      const input = tf.input({ shape: [4] });
      const output = [0, 1, 2].reduce((x) => shared.apply(x) as tf.SymbolicTensor, input);
      return tf.model({ inputs: input, outputs: output });
    },
    inputs: (batchSize) => tf.randomNormal([batchSize, 4], 0, 1, 'float32', 3),
  },
]);

describeLayerGradient('other linear maps by head', [
  stack('a convolution over time', [5, 3], () => [conv1d({ filters: 4, kernelSize: 2, name: 'split' })], {
    attention: { split: heads(2, 2, 2) },
  }),
  stack(
    'an image that keeps channels first',
    [2, 4, 3],
    () => [
      conv2d({ filters: 4, kernelSize: 2, dataFormat: 'channelsFirst', activation: 'tanh', name: 'split' }),
    ],
    { attention: { split: heads(2, 2, 3) } },
  ),
  stack('the gates of a recurrent cell', [3, 2], () => [lstm({ units: 3, name: 'lstm' })], {
    attention: { 'lstm.cell': heads(4, 3, 1) },
  }),
  {
    name: 'an embedding',
    attention: { split: heads(2, 2, 2) },
    build() {
      const input = tf.input({ shape: [6] });
      const embedded = embedding({ inputDim: 7, outputDim: 4, name: 'split' }).apply(input);
      return tf.model({ inputs: input, outputs: dense({ units: 3 }).apply(embedded) as tf.SymbolicTensor });
    },
    inputs: (batchSize) => tf.randomUniform([batchSize, 6], 0, 7, 'int32', 3),
  },
]);

/** A layer of four dense layers, which says nothing of heads to anybody. */
const SELF_ATTENTION = {
  'attention.query': heads(2, 3, 2),
  'attention.key': heads(2, 3, 2),
  'attention.value': heads(2, 3),
};
describeLayerGradient('Multi-head attention', [
  stack('whole', [4, 6], () => [new MultiHeadAttention(2, 6, 'attention')]),
  stack('by head', [4, 6], () => [new MultiHeadAttention(2, 6, 'attention')], {
    attention: SELF_ATTENTION,
  }),
]);

function selfAttention(): tf.LayersModel {
  return tf.sequential({
    layers: [
      tf.layers.inputLayer({ inputShape: [4, 6], name: 'input' }),
      new MultiHeadAttention(2, 6, 'attention'),
      layerNormalization({ name: 'norm' }),
      dense({ units: 3, name: 'head' }),
    ],
  });
}

/** G [N, O, I + 1] of a dense layer's factors over positions. */
function formed(factors: Factors | null): Factors | null {
  if (factors === null || 'gradient' in factors) return factors;
  const inputs = factors.activations.materialize();
  const withBias = tf.concat3d([inputs, tf.onesLike(inputs).slice([0, 0, 0], [-1, -1, 1])], 2);
  return { gradient: tf.matMul(factors.outputGradients, withBias, true, false) };
}

/** Gradients by path, each example's flattened. */
function collect(model: tf.LayersModel, attention: Attention, layers?: string[]): Map<string, number[][]> {
  const xs = tf.randomNormal([5, 4, 6], 0, 1, 'float32', 3);
  const collector = new GradientCollector(model, { projectionDim: 'exact', attention, layers });
  const { loss, gradients } = collector.run(() => (model.apply(xs) as tf.Tensor).square().mean());
  const values = new Map(
    [...gradients].map(([path, each]) => [path, each.arraySync().map((matrix) => matrix.flat())]),
  );
  tf.dispose([xs, loss, ...gradients.values()]);
  collector.dispose();
  return values;
}

describe('the heads of a layer', () => {
  it('have, stacked, the layer’s gradient', () => {
    const model = selfAttention();
    const [whole, split] = [collect(model, {}), collect(model, SELF_ATTENTION)];
    for (const path of Object.keys(SELF_ATTENTION)) {
      const stacked = whole
        .get(path)
        ?.map((_, example) =>
          [0, 1].flatMap((head) => split.get(`${path}.head_${head}`)?.[example] ?? [NaN]),
        );
      expect(stacked).toEqual(whole.get(path)); // to the bit: the same products, summed in the same order
    }
  });

  it('are selected by the path of one, or of the layer', () => {
    const model = selfAttention();
    const all = collect(model, SELF_ATTENTION);
    const one = collect(model, SELF_ATTENTION, ['attention.key.head_1']);
    expect([...one]).toEqual([['attention.key.head_1', all.get('attention.key.head_1')]]);
    const both = collect(model, SELF_ATTENTION, ['attention.key']);
    expect([...both.keys()].sort()).toEqual(['attention.key.head_0', 'attention.key.head_1']);
  });

  it('come of a gradient that is formed whole, too', () => {
    const model = selfAttention();
    const expected = collect(model, SELF_ATTENTION);
    registerLayerGradient({
      ...denseGradient,
      forward: (context, tap) =>
        denseGradient.forward(context, (output, saved, factorsOf) =>
          tap(output, saved, (kept, outputGradient) => factorsOf(kept, outputGradient).map(formed)),
        ),
    });
    try {
      const found = collect(model, SELF_ATTENTION);
      for (const [path, gradients] of expected) {
        expect(relativeError(found.get(path)?.flat() ?? [], gradients.flat())).toBeLessThan(ROUNDING);
      }
    } finally {
      registerLayerGradient(denseGradient);
    }
  });

  it('are projected each by matrices of its own', () => {
    const collector = new GradientCollector(selfAttention(), { attention: SELF_ATTENTION, projectionDim: 2 });
    expect(collector.columns).toContainEqual({ layer: 'attention.query.head_1', width: 4 });
    expect(collector.columns).not.toContainEqual(expect.objectContaining({ layer: 'attention.query' }));
  });
});

describe('refuses', () => {
  const collector = (attention: Attention) => () => new GradientCollector(selfAttention(), { attention });

  it('a path that is no layer, naming those there are', () => {
    expect(collector({ 'attention.qury': heads(2, 3) })).toThrow(
      /`attention` names `attention.qury`.*`attention.query`/,
    );
    expect(collector({ attention: heads(2, 3) })).toThrow(/names `attention`/);
  });

  it('a layer whose gradient has no row for each output', () => {
    expect(collector({ norm: heads(2, 3) })).toThrow(AttentionHeadsError);
    expect(collector({ norm: heads(2, 3) })).toThrow(
      /`norm` \(LayerNormalization\) cannot be split into 2 heads of 3/,
    );
    const backwards = tf.sequential({
      layers: [conv2dTranspose({ filters: 4, kernelSize: 2, inputShape: [3, 3, 4], name: 'backwards' })],
    });
    const attention = { 'backwards.kernel': heads(2, 2) };
    expect(() => new GradientCollector(backwards, { attention })).toThrow(AttentionHeadsError);
  });

  it('heads that are not all the outputs', () => {
    expect(collector({ 'attention.query': heads(2, 2, 2) })).toThrow(/they have 4 outputs and it has 6/);
  });

  it('another axis than that of the outputs, as soon as it is known', () => {
    expect(collector({ head: heads(3, 1, 1) })).toThrow(
      /along axis 1: the outputs of \[N, 4, 3\] lie along axis 2/,
    );
    expect(() => collect(selfAttention(), { 'attention.query': heads(2, 3, 1) })).toThrow(
      /along axis 1: the outputs of \[5, 4, 6\] lie along axis 2/,
    );
  });

  it('numbers that are not counts', () => {
    expect(collector({ head: heads(0, 3) })).toThrow(/`attention\['head'\].numHeads` is 0/);
    expect(collector({ head: heads(2, 1.5) })).toThrow(/headSize` is 1.5/);
  });
});
