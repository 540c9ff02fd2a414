/** What normalizers read from each optimizer, against its recurrence in double precision and against its own steps. */
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { GradientCollector, openNormalizer, OptimizerStateError, saveNormalizer } from '../../callbacks';
import type { AttributedPart } from '../../callbacks';
import { chooseNormalizer } from '../../lib/normalizers/choose';
import { lastLearningRate } from '../../lib/normalizers/learning-rate';
import { scaleMatrix, type Normalizer } from '../../lib/normalizers/normalizer';
import { relativeError, ROUNDING } from '../support/closeness';
import { temporaryDirectory } from '../support/temporary-directory';

/** Moments are float32 sums of squares; tfjs updates them in float32, the recurrences here are in float64. */
const FLOAT32_SUMS = 1e-5;

const directory = temporaryDirectory();

interface OptimizerCase {
  readonly name: string;
  /** Without momentum, so that a step is the gradient times the scale and the rate. */
  readonly create: (rate: number) => tf.Optimizer;
  /** What divides a gradient after steps on these gradients, from the paper and tfjs's placing of ε. */
  readonly denominator: (gradients: readonly number[]) => number;
}

const DECAY = 0.9;
const EPSILON = 1e-3;

function runningMean(values: readonly number[], decay: number): number {
  return values.reduce((mean, value) => decay * mean + (1 - decay) * value, 0);
}

const squares = (gradients: readonly number[]) => gradients.map((gradient) => gradient ** 2);

const CASES: readonly OptimizerCase[] = [
  {
    name: 'adam',
    create: (rate) => tf.train.adam(rate, 0, DECAY, EPSILON),
    denominator: (gradients) =>
      Math.sqrt(runningMean(squares(gradients), DECAY) / (1 - DECAY ** gradients.length)) + EPSILON,
  },
  {
    name: 'adamax',
    create: (rate) => tf.train.adamax(rate, 0, DECAY, EPSILON),
    denominator: (gradients) =>
      gradients.reduce((norm, gradient) => Math.max(DECAY * norm, Math.abs(gradient)), 0) + EPSILON,
  },
  {
    name: 'rmsprop',
    create: (rate) => tf.train.rmsprop(rate, DECAY, 0, EPSILON),
    denominator: (gradients) => Math.sqrt(runningMean(squares(gradients), DECAY) + EPSILON),
  },
  {
    name: 'rmsprop',
    create: (rate) => tf.train.rmsprop(rate, DECAY, 0, EPSILON, true),
    denominator: (gradients) =>
      Math.sqrt(runningMean(squares(gradients), DECAY) - (runningMean(gradients, DECAY) ** 2 + EPSILON)),
  },
  {
    name: 'adagrad',
    create: (rate) => tf.train.adagrad(rate, 0.1),
    denominator: (gradients) =>
      Math.sqrt(0.1 + squares(gradients).reduce((sum, square) => sum + square, 0) + tf.backend().epsilon()),
  },
  {
    name: 'adadelta',
    create: (rate) => tf.train.adadelta(rate, DECAY, EPSILON),
    denominator(gradients) {
      let [v, d] = [0, 0];
      for (const gradient of gradients) {
        const update = (Math.sqrt(d + EPSILON) / Math.sqrt(v + EPSILON)) * gradient;
        v = DECAY * v + (1 - DECAY) * gradient ** 2;
        d = DECAY * d + (1 - DECAY) * update ** 2;
      }
      return Math.sqrt(v + EPSILON) / Math.sqrt(d + EPSILON);
    },
  },
];

/** A vocabulary, a scale and shift, a kernel and bias, and a layer that has no adapter. */
function smallModel(): tf.LayersModel {
  return tf.sequential({
    layers: [
      tf.layers.embedding({
        inputDim: 4,
        outputDim: 3,
        inputLength: 2,
        embeddingsInitializer: tf.initializers.randomNormal({ seed: 1 }),
        name: 'words',
      }),
      tf.layers.layerNormalization({ name: 'norm' }),
      new Gain({ name: 'gain' }),
      tf.layers.flatten(),
      tf.layers.dense({
        units: 2,
        kernelInitializer: tf.initializers.glorotUniform({ seed: 2 }),
        name: 'dense',
      }),
    ],
  });
}

/** x times a vector of weights. */
class Gain extends tf.layers.Layer {
  static readonly className = 'SpecGain';
  private gain!: tf.LayerVariable;

  override build(shape: tf.Shape): void {
    this.gain = this.addWeight('gain', [shape[2] ?? 0], 'float32', tf.initializers.ones());
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.mul([inputs].flat()[0] as tf.Tensor, this.gain.read());
  }
}

/** A loss whose gradient by every weight is `factor` times its constant: 1, 2, 3, … through all weights. */
function linearLoss(model: tf.LayersModel, factor: number): tf.Scalar {
  let first = 1;
  const terms = model.trainableWeights.map((weight) => {
    const values = weight.read();
    const constants = tf.range(first, first + values.size).reshape(values.shape);
    first += values.size;
    return values.mul(constants).mul(factor).sum();
  });
  return tf.addN(terms as tf.Scalar[]);
}

/** The constants of a part's weights as its gradient lies, [O, I]. */
function constantsOf(model: tf.LayersModel, part: AttributedPart): number[] {
  return tf.tidy(() => {
    let first = 1;
    const constants = new Map(
      model.trainableWeights.map((weight) => {
        const { size, shape } = weight.read();
        first += size;
        return [weight.read(), tf.range(first - size, first).reshape(shape)];
      }),
    );
    return Array.from(
      part.asMatrix(part.weights.map((weight) => constants.get(weight) as tf.Tensor)).dataSync(),
    );
  });
}

function factorOf(step: number): number {
  return 0.3 * (Math.sin(step) + 1.2);
}

function normalizerOf(optimizer: tf.Optimizer): Normalizer {
  const { normalizer } = chooseNormalizer({ useOptimizerState: true }, optimizer);
  if (normalizer === null) throw new Error('the optimizer divides by nothing');
  return normalizer;
}

describe.each(CASES)('$name', ({ name, create, denominator }) => {
  it.each([1, 2, 50])('is divided by as its recurrence says after %i steps', (steps) => {
    const model = smallModel();
    const optimizer = create(0.001);
    const factors = Array.from({ length: steps }, (_, step) => factorOf(step));
    for (const factor of factors) optimizer.minimize(() => linearLoss(model, factor));
    const normalizer = normalizerOf(optimizer);
    const { parts } = new GradientCollector(model);
    expect(parts.map((part) => part.path)).toEqual(['words', 'norm', 'gain', 'dense']);
    const file = path.join(directory, `${name}-${steps}.safetensors`);
    saveNormalizer(file, normalizer, parts);
    const stored = openNormalizer(file);
    expect(stored.name).toBe(name);
    for (const part of parts) {
      const expected = constantsOf(model, part).map(
        (constant) => 1 / denominator(factors.map((factor) => factor * constant)),
      );
      for (const each of [normalizer, stored]) {
        const found = tf.tidy(() => scaleMatrix(each, part).dataSync());
        expect(relativeError(found, expected)).toBeLessThan(FLOAT32_SUMS);
      }
      const kernel = 'kernelMoments' in normalizer ? normalizer.kernelMoments?.(part) : null;
      if (part.asKernel === undefined || kernel == null) continue;
      // [I, O], the bias's row last, as against [O, I].
      const laidOut = tf.tidy(() => {
        const [outputs] = part.gradientShape;
        const rows = [kernel.kernel.reshape<tf.Tensor2D>([-1, outputs])];
        if (kernel.bias !== null) rows.push(kernel.bias.reshape([1, outputs]));
        const moments = tf.concat2d(rows, 0).transpose().mul(kernel.correction);
        return moments
          .sqrt()
          .add('epsilon' in normalizer ? normalizer.epsilon : NaN)
          .reciprocal()
          .dataSync();
      });
      expect(relativeError(laidOut, expected)).toBeLessThan(FLOAT32_SUMS);
    }
    stored.dispose();
    optimizer.dispose();
    model.dispose();
  });

  it('is what the optimizer itself does with a gradient, per unit of learning rate', () => {
    const model = smallModel();
    // A large rate, so that what a step changes is not lost in the rounding of weights.
    const optimizer = create(1);
    const { parts } = new GradientCollector(model);
    for (let step = 0; step < 3; step++) optimizer.minimize(() => linearLoss(model, factorOf(step)));
    const normalizer = normalizerOf(optimizer);
    const weights = () =>
      parts.map((part) =>
        tf.tidy(() =>
          part
            .asMatrix([...part.weights])
            .dataSync<'float32'>()
            .slice(),
        ),
      );
    const scales = () => parts.map((part) => tf.tidy(() => scaleMatrix(normalizer, part).dataSync()));
    const before = { weights: weights(), scales: scales() };
    optimizer.minimize(() => linearLoss(model, factorOf(3)));
    const after = { weights: weights(), scales: scales() };
    parts.forEach((part, i) => {
      // Adadelta's step is made of what the step before left.
      const scale = (name === 'adadelta' ? before : after).scales[i];
      const expected = constantsOf(model, part).map(
        (constant, k) => constant * factorOf(3) * (scale?.[k] ?? NaN),
      );
      const change = after.weights[i]?.map((value, k) => (before.weights[i]?.[k] ?? NaN) - value) ?? [];
      // Weights of up to 1e2 keep 1e-7 of themselves; a step changes them by about 1.
      expect(relativeError(change, expected)).toBeLessThan(1e-4);
    });
    optimizer.dispose();
    model.dispose();
  });

  it('is read once a step is over, so that its first row is divided like the others', () => {
    const model = smallModel();
    const optimizer = create(0.01);
    const ids = tf.tensor2d(
      [
        [0, 1],
        [2, 2],
        [3, 0],
      ],
      [3, 2],
      'int32',
    );
    // Large gradients: where one is below the root of ε, centered RMSProp makes NaN of the weight.
    const loss = () =>
      tf.losses
        .meanSquaredError<tf.Tensor, tf.Tensor>(
          tf.tensor2d([
            [1, 3],
            [-2, 5],
            [4, -1],
          ]),
          model.apply(ids) as tf.Tensor,
        )
        .mul<tf.Scalar>(100);
    const raw = new GradientCollector(model, { projectionDim: 'exact' });
    const normalizer = normalizerOf(optimizer);
    const divided = new GradientCollector(model, { projectionDim: 'exact', normalizer });
    for (let step = 0; step < 2; step++) {
      const { loss: value, gradients: before } = raw.run(loss);
      const { gradients } = divided.surround(() => {
        optimizer.minimize(loss);
      });
      for (const part of raw.parts) {
        const [found, expected] = tf.tidy(() => {
          const scaled = before.get(part.path)?.mul(scaleMatrix(normalizer, part));
          return [gradients.get(part.path)?.dataSync() ?? [], scaled?.dataSync() ?? []] as const;
        });
        expect(relativeError(found, expected)).toBeLessThan(ROUNDING);
      }
      tf.dispose([value, ...before.values(), ...gradients.values()]);
    }
    ids.dispose();
    optimizer.dispose();
    model.dispose();
  });

  it('cannot be read before the first step', () => {
    const model = smallModel();
    const { parts } = new GradientCollector(model);
    const normalizer = normalizerOf(create(0.1));
    expect(() => tf.tidy(() => scaleMatrix(normalizer, parts[0] as AttributedPart))).toThrow(
      /holds no second moments/,
    );
    model.dispose();
  });
});

describe('choosing', () => {
  it('divides by nothing where the optimizer does', () => {
    for (const optimizer of [tf.train.sgd(0.1), tf.train.momentum(0.1, 0.9)]) {
      const chosen = chooseNormalizer({ useOptimizerState: true }, optimizer);
      expect(chosen).toEqual({ name: 'identity', normalizer: null });
    }
  });

  it('takes a name for the optimizer’s own, and refuses another’s', () => {
    const chosen = chooseNormalizer({ normalizer: 'adagrad' }, tf.train.adagrad(0.1));
    expect(chosen.name).toBe('adagrad');
    expect(chooseNormalizer({ normalizer: 'none' }, tf.train.adam()).normalizer).toBeNull();
    expect(chooseNormalizer({}, tf.train.adam()).normalizer).toBeNull();
    expect(() => chooseNormalizer({ normalizer: 'adagrad' }, tf.train.adam())).toThrow(OptimizerStateError);
    expect(() => chooseNormalizer({ normalizer: 'adagrad' }, undefined)).toThrow(OptimizerStateError);
    expect(() => chooseNormalizer({ normalizer: 'lamb' as 'adam' }, tf.train.adam())).toThrow(
      /one of 'none', 'adam'/,
    );
    const contradiction = { normalizer: 'none', useOptimizerState: true } as const;
    expect(() => chooseNormalizer(contradiction, tf.train.adam())).toThrow(/`normalizer` is none/);
  });
});

it('reads the rate of the last step, which Adamax lets decay', () => {
  const weight = tf.variable(tf.scalar(1));
  const optimizer = tf.train.adamax(0.5, 0.9, 0.99, 1e-8, 0.25);
  // Whatever gradient: a step of Adamax moves a weight that has always had it by the rate.
  const step = () => {
    const [before] = weight.dataSync();
    optimizer.minimize(() => weight.mul<tf.Scalar>(3));
    return (before ?? NaN) - (weight.dataSync()[0] ?? NaN);
  };
  for (const expected of [0.5, 0.5 / 1.25, 0.5 / 1.5]) {
    expect(step()).toBeCloseTo(expected, 5);
    expect(lastLearningRate(optimizer)).toBeCloseTo(expected, 12);
  }
  const sgd = tf.train.sgd(0.1);
  sgd.setLearningRate(0.02);
  expect(lastLearningRate(sgd)).toBe(0.02);
  optimizer.dispose();
  weight.dispose();
});
