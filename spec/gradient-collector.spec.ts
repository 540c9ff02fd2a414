import tf = require('@tensorflow/tfjs');
import { GradientCollector } from '../callbacks';
import { batchLoss } from '../lib/compiled-model';
import { batchOfOneGradients } from './reference/batch-of-one';
import { relativeError, ROUNDING } from './support/closeness';
import { describeOnProcessor } from './kernels/native-operations';
import { denseCase } from './support/small-models';
import { temporaryDirectory } from './support/temporary-directory';
import { writtenRows } from './support/written-rows';

const directory = temporaryDirectory();

/** Fixed weights: where a model happens to predict an example, little is left of its gradient but rounding. */
const seeded = (seed: number) => ({ kernelInitializer: tf.initializers.glorotNormal({ seed }) });

/** A custom layer that holds others, one of them in a list, as tfjs's own examples write them. */
class Block extends tf.layers.Layer {
  static readonly className: string = 'SpecBlock';
  readonly inner = tf.layers.dense({ units: 4, activation: 'tanh', ...seeded(1) });
  readonly branches = [
    tf.layers.dense({ units: 4, ...seeded(2) }),
    tf.layers.dense({ units: 4, useBias: false, ...seeded(3) }),
  ];

  override build(inputShape: tf.Shape | tf.Shape[]): void {
    this.inner.build(inputShape);
    for (const branch of this.branches) branch.build([null, 4]);
    const held = [this.inner, ...this.branches];
    this._trainableWeights = held.flatMap(({ trainableWeights }) => trainableWeights);
    super.build(inputShape);
  }

  override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape {
    return [(inputShape as tf.Shape)[0] ?? null, 4];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const input = (Array.isArray(inputs) ? inputs[0] : inputs) as tf.Tensor;
    const inner = this.inner.apply(input) as tf.Tensor;
    return tf.addN(this.branches.map((branch) => branch.apply(inner) as tf.Tensor));
  }
}

/** Mixes the examples of a batch into the first axis, so that its sub-layer no longer sees examples there. */
class Unbatch extends Block {
  static override readonly className: string = 'SpecUnbatch';

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const input = (Array.isArray(inputs) ? inputs[0] : inputs) as tf.Tensor;
    return this.inner.apply(tf.concat([input, input])) as tf.Tensor;
  }
}

function nested(): tf.LayersModel {
  const inside = tf.sequential({
    name: 'encoder',
    layers: [
      tf.layers.dense({ units: 6, activation: 'relu', inputShape: [5], name: 'first', ...seeded(4) }),
      new Block({ name: 'block' }),
    ],
  });
  const input = tf.input({ shape: [5] });
  const encoded = inside.apply(input) as tf.SymbolicTensor;
  const output = tf.layers
    .dense({ units: 3, activation: 'softmax', name: 'head', ...seeded(5) })
    .apply(encoded) as tf.SymbolicTensor;
  const model = tf.model({ inputs: input, outputs: output });
  model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
  return model;
}

const BATCH_SIZE = 6;
const PATHS = [
  'encoder.first',
  'encoder.block.inner',
  'encoder.block.branches.0',
  'encoder.block.branches.1',
  'head',
];

it('names layers in nested models and custom layers by path, and gives a batch-of-one loop’s gradients', () => {
  const model = nested();
  const { xs, ys } = denseCase.data(BATCH_SIZE);
  const collector = new GradientCollector(model, { projectionDim: 'exact' });
  expect(collector.layers.map(({ path }) => path)).toEqual(PATHS);
  const { gradients } = collector.run(() => batchLoss(model, { xs, ys }));
  const loss = (of: tf.LayersModel, [x, y]: tf.Tensor[]) =>
    batchLoss(of, { xs: x as tf.Tensor, ys: y as tf.Tensor });
  const expected = batchOfOneGradients(model, collector.parts, loss, [xs, ys]);
  for (const path of PATHS) {
    const values = gradients.get(path)?.arraySync() ?? [];
    values.forEach((gradient, example) => {
      expect(relativeError(gradient.flat(), expected.get(path)?.[example] ?? [])).toBeLessThan(ROUNDING);
    });
  }
});

it('hands each layer over as the backward pass reaches it, last layer first, and keeps nothing', () => {
  const model = nested();
  const { xs, ys } = denseCase.data(BATCH_SIZE);
  const collector = new GradientCollector(model);
  const seen: string[] = [];
  const { loss, gradients } = collector.run(
    () => batchLoss(model, { xs, ys }),
    (path, layer) => {
      seen.push(path);
      expect(layer.shape[0]).toBe(BATCH_SIZE);
    },
  );
  expect(seen[0]).toBe('head');
  expect(seen.at(-1)).toBe('encoder.first');
  expect([...seen].sort()).toEqual([...PATHS].sort());
  expect(gradients.size).toBe(0);
  expect(loss.shape).toEqual([]);
});

it('hands gradients over only once they are projected, however long that takes', () => {
  const input = tf.input({ shape: [200, 256] });
  // The backward pass reaches all of them in a row, faster than they can be projected.
  const beside = Array.from({ length: 8 }, () => tf.layers.dense({ units: 256 }).apply(input));
  const model = tf.model({
    inputs: input,
    outputs: tf.layers.add().apply(beside as tf.SymbolicTensor[]) as tf.SymbolicTensor,
  });
  const xs = tf.randomUniform([8, 200, 256], -1, 1, 'float32', 1);
  const loss = () => (model.apply(xs, { training: true }) as tf.Tensor).square().mean<tf.Scalar>();
  const collector = new GradientCollector(model, { projectionDim: 64 });
  const bytes = (values: tf.Tensor) => Buffer.from(values.dataSync().buffer);
  const expected = new Map<string, Buffer>();
  collector.run(loss, (path, values) => {
    expected.set(path, bytes(values));
  });
  const { gradients } = collector.run(loss);
  const equal = [...gradients].map(([path, values]) => expected.get(path)?.equals(bytes(values)));
  expect(equal).toEqual(beside.map(() => true));
});

it('captures from a backward pass that the caller runs, and leaves its result as it is', () => {
  const [model, untouched] = [denseCase.build(), denseCase.build()];
  const { xs, ys } = denseCase.data(BATCH_SIZE);
  const step = (of: tf.LayersModel) =>
    tf.train
      .sgd(0.1)
      .minimize(() => batchLoss(of, { xs, ys }), true)
      ?.dataSync()[0];
  const collector = new GradientCollector(model);
  const { result, gradients } = collector.surround(() => step(model), BATCH_SIZE);
  expect(result).toBe(step(untouched));
  expect([...gradients.keys()].sort()).toEqual(['head', 'hidden']);
  const weights = (of: tf.LayersModel) => of.getWeights().map((weight) => Array.from(weight.dataSync()));
  expect(weights(model)).toEqual(weights(untouched));
});

it('refuses a loss that depends on a gradient, and captures from the next', () => {
  const model = denseCase.build();
  const { xs, ys } = denseCase.data(BATCH_SIZE);
  const collector = new GradientCollector(model);
  const output = (x: tf.Tensor) => model.apply(x) as tf.Tensor;
  const penalty = () =>
    tf
      .grad((x) => output(x).square().sum())(xs)
      .square()
      .sum<tf.Scalar>();
  expect(() => collector.surround(() => tf.variableGrads(penalty), BATCH_SIZE)).toThrow(
    /layer `(head|hidden)` \(Dense\) is differentiated inside another gradient/,
  );
  const { gradients } = collector.surround(() => tf.variableGrads(() => batchLoss(model, { xs, ys })));
  expect([...gradients.keys()].sort()).toEqual(['head', 'hidden']);
});

it('differentiates no weights in `run`: only what the taps need', () => {
  const model = denseCase.build();
  const { xs, ys } = denseCase.data(BATCH_SIZE);
  const collector = new GradientCollector(model, { layers: ['head'] });
  const count = (body: () => void) => {
    const backend = tf.backend();
    const products = jest.spyOn(tf.engine(), 'runKernel');
    body();
    const called = products.mock.calls.filter(([name]) => name.includes('MatMul')).length;
    products.mockRestore();
    expect(tf.backend()).toBe(backend);
    return called;
  };
  const forward = count(() => batchLoss(model, { xs, ys }));
  // The head's own factors need no product of the layers below it: one projection and one sum over positions.
  expect(count(() => void collector.run(() => batchLoss(model, { xs, ys })))).toBeLessThanOrEqual(
    forward + 2,
  );
});

it('leaves frozen layers out', () => {
  const model = nested();
  const encoder: unknown = model.getLayer('encoder');
  (encoder as tf.Sequential).getLayer('first').trainable = false;
  expect(new GradientCollector(model).layers.map(({ path }) => path)).toEqual(PATHS.slice(1));
});

it('selects a model and all layers inside it by its path', () => {
  const collector = new GradientCollector(nested(), { layers: ['encoder.block'] });
  expect(collector.layers.map(({ path }) => path)).toEqual(PATHS.slice(1, 4));
});

it('attributes the biases of the layers that `includeBias` names, and of those inside them', () => {
  const widths = (includeBias: boolean | string[]) =>
    new GradientCollector(nested(), { includeBias }).parts.map(({ gradientShape: [, inputs] }) => inputs);
  expect(widths(true)).toEqual([6, 7, 5, 4, 5]);
  expect(widths(false)).toEqual([5, 6, 4, 4, 4]);
  expect(widths(['encoder.block', 'head'])).toEqual([5, 7, 5, 4, 5]);
  expect(() => widths(['block'])).toThrow(/`includeBias` names `block`.*the model has/);
});

it('attributes a layer once that several custom layers hold', () => {
  const [first, second] = [new Block({ name: 'one' }), new Block({ name: 'two' })];
  (second as { inner: tf.layers.Layer }).inner = first.inner;
  const input = tf.input({ shape: [4] });
  const output = second.apply(first.apply(input)) as tf.SymbolicTensor;
  const collector = new GradientCollector(tf.model({ inputs: input, outputs: output }));
  expect(collector.layers.map(({ path }) => path)).toEqual([
    'one.inner',
    'one.branches.0',
    'one.branches.1',
    'two.branches.0',
    'two.branches.1',
  ]);
  expect(collector.coverage.attributed).toBe(collector.coverage.trained);
});

it('names the matrices of cells and of separable convolutions, at any depth', () => {
  const { bidirectional, dense, flatten, gru, lstm, lstmCell, rnn, separableConv2d, timeDistributed } =
    tf.layers;
  const model = tf.sequential({
    layers: [
      separableConv2d({ filters: 2, kernelSize: 2, inputShape: [4, 4, 1], name: 'separable' }),
      timeDistributed({ layer: flatten(), name: 'flat' }),
      bidirectional({ layer: gru({ units: 2, returnSequences: true }), mergeMode: 'concat', name: 'both' }),
      rnn({ cell: [lstmCell({ units: 2 }), lstmCell({ units: 2 })], returnSequences: true, name: 'stack' }),
      timeDistributed({ layer: dense({ units: 2 }), name: 'each' }),
      lstm({ units: 1, name: 'lstm' }),
    ],
  });
  const paths = [
    'separable.depthwise',
    'separable.pointwise',
    'both.forwardLayer.cell.gates',
    'both.forwardLayer.cell.candidate',
    'both.backwardLayer.cell.gates',
    'both.backwardLayer.cell.candidate',
    'stack.cell.cells.0',
    'stack.cell.cells.1',
    'each.layer',
    'lstm.cell',
  ];
  expect(new GradientCollector(model).parts.map(({ path }) => path)).toEqual(paths);
  const one = ['both.backwardLayer.cell.candidate', 'separable'];
  expect(new GradientCollector(model, { layers: one }).columns.map(({ layer }) => layer)).toEqual([
    ...paths.slice(0, 2),
    paths[5],
  ]);
});

it('leaves layers as they were, also where one throws', () => {
  const model = tf.sequential({
    layers: [tf.layers.dense({ units: 2, activation: 'softmax', inputShape: [3] })],
  });
  const [layer] = model.layers as [tf.layers.Layer & { activation: object }];
  const { activation } = layer;
  const collector = new GradientCollector(model);
  const xs = tf.ones([4, 3]);
  collector.run(() => {
    const outputs = model.apply(xs) as tf.Tensor;
    expect(layer.activation).toBe(activation);
    return outputs.square().mean();
  });
  const wrong = () => collector.run(() => (layer.call(tf.ones([4, 5]), {}) as tf.Tensor).mean());
  expect(wrong).toThrow(/matMul/);
  expect(layer.activation).toBe(activation);
  expect(Object.hasOwn(layer, 'call')).toBe(false);
});

it('draws the same projection for the same path in another process, and another for another seed', () => {
  const { xs, ys } = denseCase.data(2);
  const first = (seed: number) => {
    const model = denseCase.build();
    const collector = new GradientCollector(model, { projectionDim: 2, seed });
    const { gradients } = collector.run(() => batchLoss(model, { xs, ys }));
    return Array.from(gradients.get('hidden')?.dataSync() ?? []);
  };
  expect(first(1)).toEqual(first(1));
  expect(first(1)).not.toEqual(first(2));
});

describe('refuses', () => {
  it('a layer whose first axis is not the batch, naming both sizes', () => {
    const input = tf.input({ shape: [5] });
    const output = new Unbatch({ name: 'mixed' }).apply(
      tf.layers.dense({ units: 5, name: 'below' }).apply(input),
    );
    const model = tf.model({ inputs: input, outputs: output as tf.SymbolicTensor });
    const collector = new GradientCollector(model);
    const run = () => collector.run(() => (model.predict(tf.ones([4, 5])) as tf.Tensor).mean());
    expect(run).toThrow(/`below`.*\[4, 5\].*8 examples|`mixed\.inner`.*\[8, 4\].*4 examples/);
  });

  it.each([
    [{ projectionDim: 0 }, /`projectionDim` is 0; it must be a positive integer or 'exact'/],
    [{ projectionDim: 2.5 }, /`projectionDim` is 2.5/],
    [{ seed: -1 }, /`seed` is -1/],
    [{ projectionType: 'gaussian' as never }, /`projectionType` is gaussian/],
    [{ layers: ['nowhere'] }, /`nowhere`.*the model has/],
  ])('options %j', (options, message) => {
    expect(() => new GradientCollector(denseCase.build(), options)).toThrow(message);
  });
});

describeOnProcessor('what waits to be projected', () => {
  it('is bounded: beyond that gradients take its place, and rows are the same', () => {
    const [count, positions] = [160, 210]; // 138 MB into `wide`
    const model = tf.sequential({
      layers: [
        tf.layers.dense({ units: 1024, inputShape: [positions, 8], name: 'first' }),
        tf.layers.dense({ units: 4, name: 'wide' }),
        tf.layers.flatten(),
        tf.layers.dense({ units: 1, name: 'last' }),
      ],
    });
    const xs = tf.randomNormal([count, positions, 8], 0, 1, 'float32', 1);
    const loss = () => (model.apply(xs) as tf.Tensor).square().mean<tf.Scalar>();
    const collector = new GradientCollector(model, { projectionDim: 4 });
    const train = () => tf.variableGrads(loss);
    const { result, columns } = collector.surroundLeavingColumns(train, count);
    const kinds = collector.columns.map(({ layer }) => columns.get(layer)?.terms.map(({ kind }) => kind));
    expect(kinds).toEqual([['gradients'], ['factors'], ['factors']]);
    const rows = writtenRows(columns, collector.columns, count, directory);
    const { loss: value, gradients } = collector.run(loss);
    const expected = collector.columns.map(
      ({ layer }) => gradients.get(layer)?.reshape([count, -1]) as tf.Tensor,
    );
    const error = tf.tidy(() =>
      relativeError(Array.from(rows), Array.from(tf.concat(expected, 1).dataSync())),
    );
    expect(error).toBeLessThan(ROUNDING);
    tf.dispose([xs, value, result.value, Object.values(result.grads), expected, [...gradients.values()]]);
    collector.dispose();
    model.dispose();
  });
});
