import tf = require('@tensorflow/tfjs');
import { GradientCollector, type GradientCollectorOptions } from '../../callbacks';

/** A layer that no adapter is for, with two layers inside, one of which it shares, and perhaps a weight of its own. */
class Block extends tf.layers.Layer {
  static readonly className: string = 'CoverageBlock';
  readonly inner = tf.layers.dense({ units: 5 });
  private scale: tf.LayerVariable | undefined;

  constructor(
    private readonly shared: tf.layers.Layer,
    private readonly scaled = true,
  ) {
    super({ name: 'block' });
  }

  override build(inputShape: tf.Shape | tf.Shape[]): void {
    this.inner.build(inputShape);
    this._trainableWeights = [...this.inner.trainableWeights, ...this.shared.trainableWeights];
    if (this.scaled) this.scale = this.addWeight('scale', [1], 'float32', tf.initializers.ones());
    super.build(inputShape);
  }

  override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape | tf.Shape[] {
    return inputShape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const input = (Array.isArray(inputs) ? inputs[0] : inputs) as tf.Tensor;
    const outputs = [this.inner, this.shared].map((layer) => layer.apply(input) as tf.Tensor);
    return tf.addN(outputs).mul(this.scale?.read() ?? 1);
  }
}

function model(): tf.LayersModel {
  const shared = tf.layers.dense({ units: 5, name: 'shared' });
  return tf.sequential({
    layers: [
      tf.layers.dense({ units: 5, inputShape: [4], name: 'frozen', trainable: false }),
      shared,
      tf.layers.activation({ activation: 'tanh' }),
      new Block(shared),
      tf.layers.dense({ units: 3, name: 'head' }),
    ],
  });
}

const coverageOf = (options: GradientCollectorOptions) => {
  const { attributed, trained, layers } = new GradientCollector(model(), options).coverage;
  const rows = layers.map((layer) => [
    layer.path,
    layer.className,
    layer.parameters,
    layer.trained,
    layer.attributed,
    layer.reason,
  ]);
  return { attributed, trained, rows };
};

const SELECTED = ['shared', 'block.inner', 'head'];

it('counts each layer’s own parameters once, in the model’s order, and says why some are not attributed', () => {
  expect(coverageOf({ layers: SELECTED })).toEqual({
    attributed: 30 + 30 + 18,
    trained: 30 + 1 + 30 + 18,
    rows: [
      ['frozen', 'Dense', 25, 0, 0, 'not trained'],
      ['shared', 'Dense', 30, 30, 30, null],
      ['block', 'CoverageBlock', 1, 1, 0, 'not selected by `layers`'],
      ['block.inner', 'Dense', 30, 30, 30, null],
      ['head', 'Dense', 18, 18, 18, null],
    ],
  });
});

it('tells biases that are left out from layers that are', () => {
  expect(coverageOf({ layers: ['shared', 'head'], includeBias: false }).rows).toEqual([
    ['frozen', 'Dense', 25, 0, 0, 'not trained'],
    ['shared', 'Dense', 30, 30, 25, 'bias left out by `includeBias`'],
    ['block', 'CoverageBlock', 1, 1, 0, 'not selected by `layers`'],
    ['block.inner', 'Dense', 30, 30, 0, 'not selected by `layers`; bias left out by `includeBias`'],
    ['head', 'Dense', 18, 18, 15, 'bias left out by `includeBias`'],
  ]);
});

it('counts of a layer split by head the heads that are attributed', () => {
  const attention = { shared: { numHeads: 5, headSize: 1, headDim: -1 } };
  expect(coverageOf({ attention })).toMatchObject({ attributed: 79, trained: 79 });
  const { attributed, rows } = coverageOf({ attention, layers: ['shared.head_1', 'shared.head_4', 'head'] });
  expect(attributed).toBe(12 + 18);
  expect(rows).toContainEqual(['shared', 'Dense', 30, 30, 12, 'not selected by `layers`']);
});

it('takes the weights of a layer inside, met before, for that layer’s', () => {
  const shared = tf.layers.dense({ units: 5, inputShape: [5], name: 'shared' });
  const { coverage } = new GradientCollector(tf.sequential({ layers: [shared, new Block(shared, false)] }));
  expect(coverage.layers.map(({ path, attributed }) => [path, attributed])).toEqual([
    ['shared', 30],
    ['block.inner', 30],
  ]);
});

it('counts a weight that two layers share once, as the first one’s', () => {
  const [first, second] = ['first', 'second'].map((name) =>
    tf.layers.dense({ name, units: 4, inputShape: [4] }),
  );
  const tied = tf.sequential({ layers: [first!, second!] });
  const fields = second as unknown as { kernel: unknown; bias: unknown; _trainableWeights: unknown[] };
  fields.kernel = (first as unknown as { kernel: unknown }).kernel;
  fields._trainableWeights = [fields.kernel, fields.bias];
  const { attributed, trained, layers } = new GradientCollector(tied).coverage;
  expect([attributed, trained]).toEqual([24, 24]);
  expect(layers.map(({ path, parameters }) => [path, parameters])).toEqual([
    ['first', 20],
    ['second', 4],
  ]);
});

it('says which layers are served by the fallback: those that hold weights of their own and have no adapter', () => {
  const { attributed, trained, layers } = new GradientCollector(model()).coverage;
  expect(attributed).toBe(trained);
  expect(layers.filter(({ fallback }) => fallback).map(({ path }) => path)).toEqual(['block']);
});

it('tells the biases of some layers from those of others', () => {
  const rows = coverageOf({ includeBias: ['block', 'head'] }).rows.map((row) => [row[0], row[5]]);
  expect(rows).toEqual([
    ['frozen', 'not trained'],
    ['shared', 'bias left out by `includeBias`'],
    ['block', null],
    ['block.inner', null],
    ['head', null],
  ]);
});
