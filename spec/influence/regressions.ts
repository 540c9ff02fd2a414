/** Linear and logistic regression, solved and solved again without an example, in double precision. */
import { seededNormal } from '../search/support';
import { inner, solve } from '../preconditioners/support';

/** Inputs [N, features] with a last feature of one, and targets [N]. */
export interface RegressionData {
  readonly inputs: readonly (readonly number[])[];
  readonly targets: readonly number[];
}

export interface Regression {
  /** The weights at which the mean loss over `data` has no gradient. */
  readonly solve: (data: RegressionData, start?: readonly number[]) => number[];
  readonly loss: (weights: readonly number[], input: readonly number[], target: number) => number;
  /** The loss's gradient by the weights. */
  readonly gradient: (weights: readonly number[], input: readonly number[], target: number) => number[];
  /** The mean Hessian of the loss by the weights. */
  readonly hessian: (weights: readonly number[], data: RegressionData) => number[][];
}

function curvature(data: RegressionData, second: (input: readonly number[]) => number): number[][] {
  const { inputs } = data;
  const size = inputs[0]!.length;
  const matrix = Array.from({ length: size }, () => new Array<number>(size).fill(0));
  for (const x of inputs) {
    const scale = second(x) / inputs.length;
    matrix.forEach((row, i) => {
      for (let j = 0; j < size; j++) row[j]! += scale * x[i]! * x[j]!;
    });
  }
  return matrix;
}

/** Loss (x w - y)², as tfjs's meanSquaredError of one output is. */
export const linearRegression: Regression = {
  solve({ inputs, targets }) {
    const normal = curvature({ inputs, targets }, () => inputs.length);
    const right = inputs[0]!.map((_, i) => inputs.reduce((sum, x, n) => sum + x[i]! * targets[n]!, 0));
    return solve(normal, right);
  },
  loss: (weights, input, target) => (dot(input, weights) - target) ** 2,
  gradient: (weights, input, target) => input.map((x) => 2 * (dot(input, weights) - target) * x),
  hessian: (_, data) => curvature(data, () => 2),
};

/** As `inner`, for the many small products of retraining. */
function dot(left: readonly number[], right: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < left.length; i++) sum += left[i]! * right[i]!;
  return sum;
}

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));

/** Loss -log p(y), p = sigmoid(x w). */
export const logisticRegression: Regression = {
  solve(data, start = data.inputs[0]!.map(() => 0)) {
    let weights = [...start];
    for (let step = 0; step < 30; step++) {
      const mean = weights.map(() => 0);
      data.inputs.forEach((x, n) => {
        const residual = sigmoid(dot(x, weights)) - data.targets[n]!;
        x.forEach((value, i) => (mean[i]! += (residual * value) / data.inputs.length));
      });
      const newton = solve(logisticRegression.hessian(weights, data), mean);
      weights = weights.map((weight, i) => weight - newton[i]!);
      if (Math.max(...newton.map(Math.abs)) < 1e-12) break;
    }
    return weights;
  },
  loss: (weights, input, target) => {
    const p = sigmoid(dot(input, weights));
    return -Math.log(target === 1 ? p : 1 - p);
  },
  gradient: (weights, input, target) => input.map((x) => (sigmoid(dot(input, weights)) - target) * x),
  hessian(weights, data) {
    return curvature(data, (x) => {
      const p = sigmoid(dot(x, weights));
      return p * (1 - p);
    });
  },
};

export function without(data: RegressionData, example: number): RegressionData {
  return {
    inputs: data.inputs.filter((_, i) => i !== example),
    targets: data.targets.filter((_, i) => i !== example),
  };
}

const FEATURES = 4;

/** Inputs of correlated features and a noisy number, or a noisy class for `classes`. */
export function regressionData(seed: number, examples: number, classes: boolean): RegressionData {
  const normal = seededNormal(seed);
  const inputs = Array.from({ length: examples }, () => {
    const common = normal();
    return [...Array.from({ length: FEATURES }, (_, i) => Math.fround(normal() * (1 + i) + common)), 1];
  });
  const targets = inputs.map((x) => {
    const z = x[0]! - 0.5 * x[1]! + 0.3 * x[3]! - 0.2;
    return classes ? Number(normal() < z) : Math.fround(z + normal());
  });
  return { inputs, targets };
}

/** Pearson's correlation. */
export function correlation(left: readonly number[], right: readonly number[]): number {
  const center = (values: readonly number[]) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return values.map((value) => value - mean);
  };
  const [a, b] = [center(left), center(right)];
  return inner(a, b) / Math.sqrt(inner(a, a) * inner(b, b));
}
