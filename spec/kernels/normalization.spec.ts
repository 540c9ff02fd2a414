import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import {
  normalizationGradientNatively,
  normalizationGradientPlainly,
  normalizeNatively,
  normalizePlainly,
  noWeight,
  type Moments,
} from '../../kernels/normalization';
import { relativeError, sameBits } from '../support/closeness';
import { randomNormal } from '../support/random-tensor';
import { describeNative, eachInstructionSet, nativeOperations } from './native-operations';

/** Of sums over a row in float32, and of what is left of numbers around 2 when their mean is taken off. */
const ROUNDING = 1e-6;

interface Case {
  readonly shape: number[];
  readonly centered: boolean;
  readonly scaled: boolean;
  readonly shifted: boolean;
}

const anyCase: fc.Arbitrary<Case> = fc.record({
  shape: fc
    .tuple(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 2 }), fc.integer({ min: 1, max: 300 }))
    .map(([outer, width]) => [...outer, width]),
  centered: fc.boolean(),
  scaled: fc.boolean(),
  shifted: fc.boolean(),
});

const EDGES: readonly Case[] = [
  { shape: [1], centered: true, scaled: true, shifted: true },
  { shape: [1, 1, 1], centered: false, scaled: true, shifted: false },
  { shape: [3, 4096], centered: true, scaled: true, shifted: true },
  { shape: [2, 20_001], centered: false, scaled: false, shifted: false },
  { shape: [700, 65], centered: true, scaled: false, shifted: true },
];

interface Drawn {
  readonly x: tf.Tensor;
  readonly dy: tf.Tensor;
  readonly scale: tf.Tensor;
  readonly shift: tf.Tensor;
  readonly moments: Moments;
}

function draw({ shape, centered, scaled, shifted }: Case): Drawn {
  const width = shape.at(-1) ?? 0;
  return {
    x: randomNormal(shape, 1).add(2),
    dy: randomNormal(shape, 2),
    scale: scaled ? randomNormal([width], 3).add(1) : noWeight(),
    shift: shifted ? randomNormal([width], 4) : noWeight(),
    moments: { epsilon: 1e-3, centered },
  };
}

/** The definition, row by row in float64: what x becomes, its gradient, and the largest number that this is a difference of. */
function reference({ x, dy, scale, shift, moments }: Drawn): [Float64Array, Float64Array, number] {
  const width = x.shape.at(-1) ?? 0;
  const [values, gradients] = [x.dataSync<'float32'>(), dy.dataSync<'float32'>()];
  const [scales, shifts] = [scale.dataSync<'float32'>(), shift.dataSync<'float32'>()];
  const [result, gradient] = [new Float64Array(values.length), new Float64Array(values.length)];
  let largest = 0;
  for (let first = 0; first < values.length; first += width) {
    const row = Array.from(values.subarray(first, first + width));
    const mean = (numbers: number[]) => numbers.reduce((sum, value) => sum + value, 0) / width;
    const center = moments.centered ? mean(row) : 0;
    const inverse = 1 / Math.sqrt(mean(row.map((value) => (value - center) ** 2)) + moments.epsilon);
    const normalized = row.map((value) => (value - center) * inverse);
    const g = row.map((_, i) => (gradients[first + i] ?? NaN) * (scales[i] ?? 1));
    const along = mean(g.map((value, i) => value * (normalized[i] ?? NaN)));
    const middle = moments.centered ? mean(g) : 0;
    normalized.forEach((value, i) => {
      result[first + i] = value * (scales[i] ?? 1) + (shifts[i] ?? 0);
      largest = Math.max(largest, Math.abs((g[i] ?? NaN) * inverse));
      gradient[first + i] = ((g[i] ?? NaN) - middle - value * along) * inverse;
    });
  }
  return [result, gradient, largest];
}

type Ways = readonly [value: (drawn: Drawn) => tf.Tensor, gradient: (drawn: Drawn) => tf.Tensor];

const natively: Ways = [
  ({ x, scale, shift, moments }) => normalizeNatively(x, scale, shift, moments, nativeOperations()),
  ({ x, scale, dy, moments }) => normalizationGradientNatively(x, scale, dy, moments, nativeOperations()),
];

const present = (weight: tf.Tensor) => weight.rank === 1;

const plainly: Ways = [
  ({ x, scale, shift, moments }) => {
    const { normalized } = normalizePlainly(x, [x.rank - 1], moments);
    const scaled = present(scale) ? tf.mul(normalized, scale) : normalized;
    return present(shift) ? tf.add(scaled, shift) : scaled;
  },
  ({ x, scale, dy, moments }) => {
    const axes = [x.rank - 1];
    const scaled = present(scale) ? tf.mul(dy, scale) : dy;
    return normalizationGradientPlainly(scaled, normalizePlainly(x, axes, moments), axes, moments.centered);
  },
];

function errorsOf([value, gradient]: Ways, wanted: Case): number[] {
  return tf.tidy(() => {
    const drawn = draw(wanted);
    const [expected, expectedGradient, largest] = reference(drawn);
    const [found, foundGradient] = [value(drawn), gradient(drawn)];
    expect([found.shape, foundGradient.shape]).toEqual([wanted.shape, wanted.shape]);
    const gaps = foundGradient
      .dataSync<'float32'>()
      .map((number, i) => Math.abs(number - (expectedGradient[i] ?? NaN)) / largest);
    // Not Math.max(...gaps): there may be more than a call takes.
    return [
      relativeError(found.dataSync<'float32'>(), expected),
      gaps.reduce((most, gap) => Math.max(most, gap), 0),
    ];
  });
}

describe('normalization in plain operations', () => {
  it.each(EDGES)('is that of a float64 loop: %j', (wanted) => {
    for (const error of errorsOf(plainly, wanted)) expect(error).toBeLessThan(2 * ROUNDING);
  });
});

describeNative('native normalization', () => {
  eachInstructionSet('agrees with a float64 loop', () => {
    fc.assert(
      fc.property(anyCase, (wanted) => {
        for (const error of errorsOf(natively, wanted)) expect(error).toBeLessThan(ROUNDING);
      }),
    );
    for (const wanted of EDGES) {
      for (const error of errorsOf(natively, wanted)) expect(error).toBeLessThan(ROUNDING);
    }
  });

  eachInstructionSet('has no row that another one changes, and tells of what is no number', () => {
    tf.tidy(() => {
      const { moments, scale } = draw({ shape: [9], centered: true, scaled: false, shifted: false });
      const x = tf.concat([randomNormal([2, 9], 1), tf.fill([1, 9], NaN), randomNormal([1, 9], 2)]);
      const backend = nativeOperations();
      const together = normalizeNatively(x, scale, scale, moments, backend);
      expect(tf.isNaN(together).any(1).arraySync()).toEqual([0, 0, 1, 0]);
      for (const row of [0, 1, 3]) {
        const alone = normalizeNatively(x.slice([row], [1]), scale, scale, moments, backend);
        expect(sameBits(alone.dataSync(), together.slice([row], [1]).dataSync())).toBe(true);
      }
    });
  });

  it('is the same by any number of threads', () => {
    tf.tidy(() => {
      const drawn = draw({ shape: [1500, 401], centered: true, scaled: true, shifted: true });
      const wholes = natively.map((way) => way(drawn));
      for (let row = 0; row < 1500; row += 100) {
        const part = { ...drawn, x: drawn.x.slice([row], [100]), dy: drawn.dy.slice([row], [100]) };
        natively.forEach((way, i) => {
          const expected = wholes[i]?.slice([row], [100]).dataSync() ?? new Float32Array();
          expect(sameBits(way(part).dataSync(), expected)).toBe(true);
        });
      }
    });
  });

  it.each([
    ['scale', [4], /BergsonNormalization: scale \[4\] and x \[2, 3\] differ in channels/],
    ['shift', [1, 3], /BergsonNormalization: shift \[1, 3\] is not of rank 1/],
    ['x', [], /BergsonNormalization: x \[\] is of a rank below 1/],
  ] as const)('refuses %s of shape %j', (name, shape, message) => {
    const drawn = draw({ shape: [2, 3], centered: true, scaled: true, shifted: true });
    expect(() => tf.tidy(() => natively[0]({ ...drawn, [name]: tf.zeros([...shape]) }))).toThrow(message);
  });

  it.each([
    ['scale', [4], /BergsonNormalizationGradient: scale \[4\] and x \[2, 3\] differ in channels/],
    ['dy', [3, 2], /BergsonNormalizationGradient: x \[2, 3\] and output_gradients \[3, 2\] differ in shape/],
  ] as const)('refuses %s of shape %j backwards', (name, shape, message) => {
    const drawn = draw({ shape: [2, 3], centered: true, scaled: true, shifted: true });
    expect(() => tf.tidy(() => natively[1]({ ...drawn, [name]: tf.zeros([...shape]) }))).toThrow(message);
  });
});
