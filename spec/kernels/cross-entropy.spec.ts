import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import {
  crossEntropyGradientNatively,
  crossEntropyNatively,
  crossEntropyPlainly,
} from '../../kernels/cross-entropy';
import { tensorFlowBackend, typeAttribute } from '../../kernels/tensorflow-backend';
import { sameBits } from '../support/closeness';
import { normalNumbers, randomNormal } from '../support/random-tensor';
import { describeNative, eachInstructionSet, nativeOperations } from './native-operations';

/** Of losses relative to the largest logit, and of gradients relative to that of the loss: a few roundings of float32. */
const ROUNDING = 5e-7;

interface Drawn {
  readonly labels: tf.Tensor1D;
  readonly logits: tf.Tensor2D;
  readonly outputGradients: tf.Tensor1D;
}

interface Sizes {
  readonly examples: number;
  readonly classes: number;
  /** The standard deviation of logits. */
  readonly spread: number;
}

const anySizes: fc.Arbitrary<Sizes> = fc.record({
  examples: fc.integer({ min: 0, max: 5 }),
  classes: fc.integer({ min: 1, max: 200 }),
  spread: fc.constantFrom(0, 1, 30, 1000),
});

const EDGES: readonly Sizes[] = [
  { examples: 1, classes: 1, spread: 1 },
  { examples: 3, classes: 50_257, spread: 3 },
  { examples: 40, classes: 4096, spread: 10 },
];

function draw({ examples, classes, spread }: Sizes): Drawn {
  const labels = Int32Array.from(normalNumbers(examples, 3), (value) => Math.abs(value * 1000) % classes);
  return {
    labels: tf.tensor1d(labels, 'int32'),
    logits: randomNormal<tf.Rank.R2>([examples, classes], 1).mul(spread),
    outputGradients: randomNormal<tf.Rank.R1>([examples], 2),
  };
}

/** Losses and the gradients of logits, in float64. */
function reference({ labels, logits, outputGradients }: Drawn): [Float64Array, Float64Array] {
  const [examples, classes] = logits.shape;
  const [values, gradients, ids] = [
    logits.dataSync<'float32'>(),
    outputGradients.dataSync(),
    labels.dataSync(),
  ];
  const [losses, result] = [new Float64Array(examples), new Float64Array(values.length)];
  for (let n = 0; n < examples; n++) {
    const row = values.subarray(n * classes, (n + 1) * classes);
    const largest = row.reduce((most, value) => Math.max(most, value), -Infinity);
    const sum = row.reduce((sum, value) => sum + Math.exp(value - largest), 0);
    const label = ids[n] ?? NaN;
    losses[n] = Math.log(sum) + largest - (row[label] ?? NaN);
    row.forEach((value, i) => {
      const derivative = Math.exp(value - largest) / sum - (i === label ? 1 : 0);
      result[n * classes + i] = (gradients[n] ?? NaN) * derivative;
    });
  }
  return [losses, result];
}

type Run = (drawn: Drawn) => [losses: tf.Tensor, gradients: tf.Tensor];

const natively: Run = ({ labels, logits, outputGradients }) => [
  crossEntropyNatively(labels, logits, nativeOperations()),
  crossEntropyGradientNatively(labels, logits, outputGradients, nativeOperations()),
];

const plainly: Run = ({ labels, logits, outputGradients }) => {
  const [losses, derivative] = crossEntropyPlainly(labels, logits);
  return [losses, tf.mul(outputGradients.expandDims(1), derivative)];
};

/** TensorFlow's own operation. */
const byTensorFlow: Run = ({ labels, logits, outputGradients }) => {
  const backend = tensorFlowBackend();
  if (backend === undefined) throw new Error('no TensorFlow');
  const attributes = [typeAttribute(backend, 'T', 'float32'), typeAttribute(backend, 'Tlabels', 'int32')];
  const name = 'SparseSoftmaxCrossEntropyWithLogits';
  const [losses, derivative] = backend.executeMultipleOutputs(name, attributes, [logits, labels], 2) as [
    tf.Tensor,
    tf.Tensor,
  ];
  return [losses, tf.mul(outputGradients.expandDims(1), derivative)];
};

function largestGap(found: ArrayLike<number>, expected: Float64Array): number {
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (found[i] ?? NaN))), 0);
}

function errorsOf(run: Run, sizes: Sizes): [number, number] {
  return tf.tidy(() => {
    const drawn = draw(sizes);
    const [losses, gradients] = run(drawn);
    const [expectedLosses, expectedGradients] = reference(drawn);
    expect([losses.shape, gradients.shape]).toEqual([[sizes.examples], drawn.logits.shape]);
    return [
      largestGap(losses.dataSync(), expectedLosses) / Math.max(1, 4 * sizes.spread),
      largestGap(gradients.dataSync(), expectedGradients) / 3,
    ];
  });
}

describe('cross-entropy in plain operations', () => {
  // tfjs has no oneHot of one class.
  it.each(EDGES.slice(1))('is that of a float64 loop: %j', (sizes) => {
    for (const error of errorsOf(plainly, sizes)) expect(error).toBeLessThan(10 * ROUNDING);
  });
});

describeNative('native cross-entropy', () => {
  eachInstructionSet('agrees with a float64 loop', () => {
    fc.assert(
      fc.property(anySizes, (sizes) => {
        for (const error of errorsOf(natively, sizes)) expect(error).toBeLessThan(ROUNDING);
      }),
    );
    for (const sizes of EDGES) {
      for (const error of errorsOf(natively, sizes)) expect(error).toBeLessThan(ROUNDING);
    }
  });

  eachInstructionSet("is as exact as TensorFlow's", () => {
    for (const sizes of EDGES) {
      const [own, theirs] = [errorsOf(natively, sizes), errorsOf(byTensorFlow, sizes)];
      // What neither can be told from the true one by.
      own.forEach((error, i) => {
        expect(error).toBeLessThanOrEqual(Math.max(1e-7, theirs[i] ?? NaN));
      });
    }
  });

  eachInstructionSet('stays finite where probabilities underflow, and tells of what is no number', () => {
    tf.tidy(() => {
      const rows = [
        [200, -200, 0],
        [-200, 200, -Infinity],
        [0, -Infinity, 0],
        [NaN, 0, 0],
        [Infinity, 0, 0],
        [-Infinity, -Infinity, -Infinity],
      ];
      const [losses, gradients] = natively({
        labels: tf.ones([6], 'int32'),
        logits: tf.tensor2d(rows),
        outputGradients: tf.ones([6]),
      });
      expect([...losses.dataSync()]).toEqual([400, 0, Infinity, NaN, NaN, NaN]);
      expect((gradients.arraySync() as number[][]).slice(0, 3)).toEqual([
        [1, -1, 0],
        [0, 0, 0],
        [0.5, -1, 0.5],
      ]);
      expect(tf.isNaN(gradients).all(1).arraySync()).toEqual([0, 0, 0, 1, 1, 1]);
    });
  });

  it('is the same by any number of threads', () => {
    tf.tidy(() => {
      const drawn = draw({ examples: 300, classes: 1001, spread: 3 });
      const wholes = natively(drawn);
      for (let row = 0; row < 300; row += 20) {
        const parts = natively({
          labels: drawn.labels.slice([row], [20]),
          logits: drawn.logits.slice([row], [20]),
          outputGradients: drawn.outputGradients.slice([row], [20]),
        });
        parts.forEach((part, i) => {
          const expected = wholes[i]?.slice([row], [20]).dataSync() ?? new Float32Array();
          expect(sameBits(part.dataSync(), expected)).toBe(true);
        });
      }
    });
  });

  it.each([
    ['labels', () => tf.range(0, 3, 1, 'int32'), /labels \[3\] and logits \[2, 4\] differ in examples/],
    ['labels', () => tf.tensor1d([0, 4], 'int32'), /4 in labels \[2\] is no class of logits \[2, 4\]/],
    ['labels', () => tf.tensor1d([-1, 0], 'int32'), /-1 in labels \[2\] is no class of logits \[2, 4\]/],
    ['labels', () => tf.zeros([2, 1], 'int32'), /labels \[2, 1\] is not of rank 1/],
    ['logits', () => tf.zeros([8]), /logits \[8\] is not of rank 2/],
    ['outputGradients', () => tf.zeros([3]), /output_gradients \[3\] and labels \[2\] differ in shape/],
  ] as const)('refuses %s of another kind', (name, make, message) => {
    const failing = () =>
      tf.tidy(() => natively({ ...draw({ examples: 2, classes: 4, spread: 1 }), [name]: make() }));
    expect(failing).toThrow(message);
    expect(failing).toThrow('BergsonCrossEntropy');
  });
});
