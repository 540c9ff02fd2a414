/** Central differences of a loss by single elements of weights, as accurate as float32 allows. */
import tf = require('@tensorflow/tfjs');
import type { AttributedPart } from './capture/attributed-layers';

/** How much of the loss the largest step is to change: 30,000 times its rounding, and still a small step. */
const RELATIVE_CHANGE = 2e-3;
const LARGEST_STEP = 0.05;

/**
 * How far `gradient` [O, I], flattened, is from central differences of `loss` at a few of its elements, each by the
 * best of three steps, since a small one crosses fewer kinks; relative to the largest element. Weights are moved and put back.
 */
export function differenceError(
  part: AttributedPart,
  gradient: Float32Array,
  loss: () => number,
  elements: number,
): number {
  const largest = gradient.reduce((most, element) => Math.max(most, Math.abs(element)), 0);
  const change = RELATIVE_CHANGE * Math.abs(loss());
  const step = Math.min(LARGEST_STEP, largest > 0 && change > 0 ? change / largest : LARGEST_STEP);
  const elementAt = layoutOf(part);
  const errors = chooseElements(gradient, elements).map((place) => {
    const element = elementAt(place);
    const ofSteps = [step, step / 4, step / 16].map((size) =>
      Math.abs(centralDifference(element, size, loss) - (gradient[place] ?? NaN)),
    );
    return Math.min(...ofSteps);
  });
  const most = Math.max(0, ...errors);
  return most === 0 ? 0 : most / largest;
}

/** Places of the largest elements and, as many, at fixed random places. */
function chooseElements(gradient: Float32Array, count: number): number[] {
  const largest = Array.from(gradient.keys())
    .sort((a, b) => Math.abs(gradient[b] ?? 0) - Math.abs(gradient[a] ?? 0))
    .slice(0, Math.ceil(count / 2));
  const random = tf.tidy(() => tf.randomUniform([Math.floor(count / 2)], 0, 1, 'float32', 1).dataSync());
  return [...largest, ...Array.from(random, (share) => Math.floor(share * gradient.length))];
}

/** One element of one weight. */
interface Element {
  readonly weight: tf.Variable;
  readonly index: number;
}

/** Which weight element lies at each place of a part's matrix, row-major. */
function layoutOf({ weights, asMatrix, path }: AttributedPart): (place: number) => Element {
  // float32 holds integers to 2^24, so an element's number is laid out in two digits, and its weight's in a third.
  const DIGIT = 1 << 16;
  const layOut = (digit: (weight: number, index: number) => number) =>
    tf.tidy(() => {
      const filled = weights.map(({ shape, size }, weight) =>
        tf.tensor(
          Float32Array.from({ length: size }, (_, index) => digit(weight, index)),
          shape,
        ),
      );
      return asMatrix(filled).dataSync<'float32'>();
    });
  const which = layOut((weight) => weight);
  const high = layOut((_, index) => Math.floor(index / DIGIT));
  const low = layOut((_, index) => index % DIGIT);
  return (place) => {
    const weight = weights[which[place] ?? NaN];
    if (weight === undefined) throw new Error(`internal: ${path} lays out values that no weight holds`);
    return { weight, index: (high[place] ?? NaN) * DIGIT + (low[place] ?? NaN) };
  };
}

function centralDifference({ weight, index }: Element, step: number, loss: () => number): number {
  const original = weight.dataSync<'float32'>().slice();
  const at = (value: number) => {
    const moved = original.slice();
    moved[index] = value;
    assign(weight, moved);
    // What float32 makes of the step is the step that was taken.
    return { loss: loss(), value: moved[index] };
  };
  const value = original[index] ?? NaN;
  const [above, below] = [at(value + step), at(value - step)];
  assign(weight, original);
  return (above.loss - below.loss) / (above.value - below.value);
}

function assign(weight: tf.Variable, values: Float32Array): void {
  tf.tidy(() => {
    weight.assign(tf.tensor(values, weight.shape));
  });
}
