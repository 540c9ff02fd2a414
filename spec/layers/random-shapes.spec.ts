import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import { GradientCollector } from '../../callbacks';
import { batchOfOneGradients, type BatchLoss } from '../reference/batch-of-one';
import { relativeError, ROUNDING } from '../support/closeness';

/** A layer of some configuration, and a shape it takes. */
interface Subject {
  readonly shape: number[];
  readonly make: () => tf.layers.Layer;
  /** Of the inputs; otherwise they are normal. */
  readonly ids?: number;
}

/** Few, since each trains nothing but runs its layer a dozen times. */
const RUNS = 25;

const size = fc.integer({ min: 1, max: 4 });
const activation = fc.constantFrom('linear', 'relu', 'tanh', 'sigmoid');
const padding = fc.constantFrom('same', 'valid');
const useBias = fc.boolean();

/** A convolution over `rank` axes, of a kernel that fits. */
function convolutions(rank: number, channelsFirst: boolean) {
  return (
    fc
      .record({
        kernel: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: rank, maxLength: rank }),
        beyond: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: rank, maxLength: rank }),
        strides: fc.integer({ min: 1, max: 2 }),
        channels: fc.integer({ min: 1, max: 3 }),
        filters: fc.integer({ min: 1, max: 3 }),
        dataFormat: channelsFirst
          ? fc.constantFrom('channelsFirst', 'channelsLast')
          : fc.constant('channelsLast'),
        activation,
        padding,
        useBias,
      })
      // tfjs's wasm kernels pad strided convolutions wrongly, and sum the gradients of some.
      .filter(({ strides }) => strides === 1 || tf.getBackend() !== 'wasm')
      .map(({ kernel, beyond, channels, dataFormat, ...options }) => {
        const space = kernel.map((side, axis) => side + (beyond[axis] ?? 0));
        return {
          shape: dataFormat === 'channelsFirst' ? [channels, ...space] : [...space, channels],
          options: { ...options, dataFormat, kernelSize: kernel },
        };
      })
  );
}

type Factory = (options: never) => tf.layers.Layer;

function convolutional(factory: Factory, rank: number, channelsFirst = true): fc.Arbitrary<Subject> {
  return convolutions(rank, channelsFirst).map(({ shape, options }) => ({
    shape,
    make: () => factory(options as never),
  }));
}

function recurrent(factory: Factory): fc.Arbitrary<Subject> {
  return fc
    .record({
      steps: size,
      inputs: size,
      units: size,
      useBias,
      returnSequences: fc.boolean(),
      goBackwards: fc.boolean(),
    })
    .map(({ steps, inputs, ...options }) => ({
      shape: [steps, inputs],
      make: () => factory(options as never),
    }));
}

const { layers } = tf;
const SUBJECTS: Record<string, fc.Arbitrary<Subject>> = {
  Dense: fc
    .record({ positions: fc.array(size, { maxLength: 2 }), inputs: size, units: size, activation, useBias })
    .map(({ positions, inputs, ...options }) => ({
      shape: [...positions, inputs],
      make: () => layers.dense(options),
    })),
  Conv1D: convolutional(layers.conv1d, 1, false),
  Conv2D: convolutional(layers.conv2d, 2),
  Conv3D: convolutional(layers.conv3d, 3),
  Conv2DTranspose: convolutional(layers.conv2dTranspose, 2),
  DepthwiseConv2D: convolutional(layers.depthwiseConv2d, 2),
  SeparableConv2D: convolutional(layers.separableConv2d, 2, false),
  SimpleRNN: recurrent(layers.simpleRNN),
  GRU: recurrent(layers.gru),
  LSTM: recurrent(layers.lstm),
  Embedding: fc
    .record({ positions: size, inputDim: size, outputDim: size })
    .map(({ positions, ...options }) => ({
      shape: [positions],
      make: () => layers.embedding(options),
      ids: options.inputDim,
    })),
  LayerNormalization: fc
    .record({ positions: fc.array(size, { maxLength: 2 }), inputs: fc.integer({ min: 2, max: 5 }) })
    .map(({ positions, inputs }) => ({
      shape: [...positions, inputs],
      make: () => layers.layerNormalization(),
    })),
  BatchNormalization: fc
    .array(size, { minLength: 1, maxLength: 3 })
    .map((shape) => ({ shape, make: () => layers.batchNormalization() })),
  // tfjs's wasm kernel cannot share an alpha along the last axis.
  PReLU: fc
    .array(fc.record({ length: size, shared: fc.boolean() }), { minLength: 1, maxLength: 3 })
    .map((axes) => ({
      shape: axes.map(({ length }) => length),
      make: () =>
        layers.prelu({ sharedAxes: axes.flatMap(({ shared }, axis) => (shared ? [axis + 1] : [])) }),
    })),
};

const loss: BatchLoss = (model, [xs, weights]) => {
  const outputs = model.predict(xs as tf.Tensor) as tf.Tensor;
  const each = outputs.add(0.3).square().reshape([outputs.shape[0], -1]).mean(1);
  return each.mul(weights as tf.Tensor).mean();
};

/** The same each time: an error is relative to an example's largest number, which may happen to be small. */
function drawWeights(model: tf.LayersModel): void {
  model.trainableWeights.forEach((weight, i) => {
    tf.tidy(() => {
      weight.write(tf.randomUniform(weight.shape as number[], -1, 1, 'float32', 11 + i));
    });
  });
}

it.each(Object.entries(SUBJECTS))('%s equals a batch-of-one loop, whatever its shape', (_, subjects) => {
  fc.assert(
    fc.property(subjects, fc.integer({ min: 1, max: 4 }), ({ shape, make, ids }, batchSize) => {
      const before = tf.memory().numTensors;
      const input = tf.input({ shape });
      const model = tf.model({ inputs: input, outputs: make().apply(input) as tf.SymbolicTensor });
      drawWeights(model);
      const xs =
        ids === undefined
          ? tf.randomNormal([batchSize, ...shape], 0, 1, 'float32', 3)
          : tf.randomUniform([batchSize, ...shape], 0, ids, 'int32', 3);
      const batch = [xs, tf.randomUniform([batchSize], 0.2, 2, 'float32', 7)];
      const collector = new GradientCollector(model, { projectionDim: 'exact' });
      const { loss: value, gradients } = collector.run(() => loss(model, batch));
      const expected = batchOfOneGradients(model, collector.parts, loss, batch);
      for (const { path } of collector.parts) {
        const found = gradients.get(path)?.arraySync() ?? [];
        found.forEach((gradient, example) => {
          expect(relativeError(gradient.flat(), expected.get(path)?.[example] ?? [])).toBeLessThan(ROUNDING);
        });
        expect(found).toHaveLength(batchSize);
      }
      tf.dispose([value, batch, [...gradients.values()]]);
      collector.dispose();
      model.dispose();
      expect(tf.memory().numTensors).toBe(before);
    }),
    { numRuns: RUNS, seed: 1 },
  );
});
