/**
 * Labels as a model itself would give them. With weights, the autocorrelation of the gradients they lead to is the Fisher
 * information of the model's loss, which is the Gauss-Newton matrix (Martens 2020, arXiv 1412.1193, section 9).
 */
import tf = require('@tensorflow/tfjs');
import { UnknownCurvatureError } from '../errors';
import { philox4x32 } from '../../kernels/philox';

/** Targets [N, …] for a batch of N, which the receiver disposes, and by what each example's gradient is to be multiplied. */
export interface ModelLabels {
  readonly ys: tf.Tensor;
  readonly weights: Float64Array;
}

export interface LabelOptions {
  /**
   * `every`: each class or output in turn, weighted by its probability, so that the sum is the expectation itself; that
   * takes as many passes. `sampled`: one label for each example. Default: every.
   */
  readonly labels?: 'every' | 'sampled';
  /** Of samples. Default: 0. */
  readonly seed?: number;
}

/** A number from 0 to 1, the same wherever the example lies among the batches. */
type Draw = (example: number, output: number) => number;

/** How the labels of one loss are made of predictions [N, O], read row-major. */
interface LossLabels {
  /** How many passes `every` takes for O outputs. */
  readonly passes: (outputs: number) => number;
  /** The targets of the given pass, or drawn ones for -1. */
  readonly targets: (predictions: Predictions, pass: number, draw: Draw) => ModelLabels;
}

interface Predictions {
  readonly values: ArrayLike<number>;
  readonly examples: number;
  readonly outputs: number;
}

/** Σ (f - y)² / O: its Hessian by f is 2 / O, which ±sqrt(O / 2) on one output at a time makes. */
const meanSquaredError: LossLabels = {
  passes: (outputs) => outputs,
  targets({ values, examples, outputs }, pass, draw) {
    const step = Math.sqrt(outputs / 2);
    const ys = Float32Array.from({ length: examples * outputs }, (_, at) => {
      const sign = draw(Math.floor(at / outputs), at % outputs) < 0.5 ? -1 : 1;
      const offset = pass < 0 ? sign * step : at % outputs === pass ? step : 0;
      return (values[at] ?? NaN) + offset;
    });
    return { ys: tf.tensor2d(ys, [examples, outputs]), weights: new Float64Array(examples).fill(1) };
  },
};

/** The mean over outputs of -log p(y): each output has a label of its own, and one that equals p has gradient zero. */
const binaryCrossentropy: LossLabels = {
  passes: (outputs) => 2 * outputs,
  targets({ values, examples, outputs }, pass, draw) {
    const weights = new Float64Array(examples).fill(Math.sqrt(outputs));
    const [output, label] = [Math.floor(pass / 2), pass % 2];
    const ys = Float32Array.from(values);
    for (let at = 0; at < ys.length; at++) {
      const p = values[at] ?? NaN;
      const example = Math.floor(at / outputs);
      if (pass < 0) ys[at] = draw(example, at % outputs) < p ? 1 : 0;
      if (pass < 0 || at % outputs !== output) continue;
      ys[at] = label;
      weights[example] = Math.sqrt(outputs * (label === 1 ? p : 1 - p));
    }
    return { ys: tf.tensor2d(ys, [examples, outputs]), weights };
  },
};

/** -log p(class). */
function crossEntropy(toTargets: (classes: Int32Array, outputs: number) => tf.Tensor): LossLabels {
  return {
    passes: (outputs) => outputs,
    targets({ values, examples, outputs }, pass, draw) {
      const weights = new Float64Array(examples).fill(1);
      const classes = Int32Array.from({ length: examples }, (_, example) => {
        const row = Array.from({ length: outputs }, (__, i) => values[example * outputs + i] ?? NaN);
        if (pass < 0) return drawClass(row, draw(example, 0));
        weights[example] = Math.sqrt(row[pass] ?? NaN);
        return pass;
      });
      return { ys: toTargets(classes, outputs), weights };
    },
  };
}

function drawClass(probabilities: readonly number[], uniform: number): number {
  let sum = 0;
  const drawn = probabilities.findIndex((p) => (sum += p) > uniform);
  return drawn < 0 ? probabilities.length - 1 : drawn; // they sum to one but for rounding
}

const LOSSES: Readonly<Record<string, LossLabels>> = {
  meanSquaredError,
  binaryCrossentropy,
  categoricalCrossentropy: crossEntropy((classes, outputs) =>
    tf.tidy(() => tf.oneHot(tf.tensor1d(classes, 'int32'), outputs).toFloat()),
  ),
  sparseCategoricalCrossentropy: crossEntropy((classes) =>
    tf.tensor2d(Float32Array.from(classes), [classes.length, 1]),
  ),
};

/**
 * Labels for a batch of which a model of the loss `loss` predicts `predictions` [N, O]; `first` counts the examples of
 * earlier batches, so that each draws its own.
 * @throws UnknownCurvatureError for other losses and shapes
 */
export function* modelLabels(
  loss: string | null,
  predictions: tf.Tensor,
  first: number,
  { labels = 'every', seed = 0 }: LabelOptions,
): Generator<ModelLabels, void, undefined> {
  const rule = LOSSES[loss ?? ''];
  const [examples = 0, outputs = 0] = predictions.shape;
  if (rule === undefined || predictions.rank !== 2)
    throw new UnknownCurvatureError(loss, predictions.shape, Object.keys(LOSSES));
  const values = predictions.dataSync();
  const words = new Uint32Array(4);
  const draw: Draw = (example, output) => {
    const id = first + example;
    philox4x32(id, Math.floor(id / 2 ** 32), output, DRAWS, seed, 0, words);
    return ((words[0] ?? 0) + 0.5) / 2 ** 32;
  };
  const batch = { values, examples, outputs };
  if (labels === 'sampled') yield rule.targets(batch, -1, draw);
  else for (let pass = 0; pass < rule.passes(outputs); pass++) yield rule.targets(batch, pass, draw);
}

/** Sets the draws apart from those of projection matrices, which have sides 0 to 3 there. */
const DRAWS = 4;
