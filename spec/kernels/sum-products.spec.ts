import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import {
  sumProducts,
  sumProductsNatively,
  sumProductsPlainly,
  type ScaledChannels,
} from '../../kernels/sum-products';
import { relativeError, ROUNDING } from '../support/closeness';
import { randomNormal } from '../support/random-tensor';
import { describeNative, eachDevice, nativeOperations } from './native-operations';

/** [N, ..., C], and whether there is a center. */
interface Sizes {
  readonly shape: number[];
  readonly centered: boolean;
}

const anySizes: fc.Arbitrary<Sizes> = fc.record({
  shape: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 4 }),
  centered: fc.boolean(),
});

const EDGES: readonly Sizes[] = [
  { shape: [2, 128, 3], centered: true },
  { shape: [3, 300, 17], centered: true },
  { shape: [64, 14, 14, 32], centered: false },
  { shape: [5, 1], centered: true },
];

function draw({ shape, centered }: Sizes): ScaledChannels {
  return {
    outputGradients: randomNormal(shape, 1),
    values: randomNormal(shape, 2).add(2),
    center: centered ? randomNormal([shape.at(-1) ?? 0], 3).add(2) : null,
  };
}

/** The definition, loop by loop in float64. */
function reference({ outputGradients, values, center }: ScaledChannels): Float64Array {
  const [n, channels] = [values.shape[0], values.shape.at(-1) ?? 0];
  const [d, x, c] = [
    outputGradients.dataSync<'float32'>(),
    values.dataSync<'float32'>(),
    center?.dataSync<'float32'>() ?? new Float32Array(channels),
  ];
  const result = new Float64Array(n * 2 * channels);
  d.forEach((gradient, at) => {
    const channel = at % channels;
    const first = Math.floor((at * n) / d.length) * 2 * channels + channel;
    result[first]! += gradient * (x[at]! - c[channel]!);
    result[first + channels]! += gradient;
  });
  return result;
}

function errorOf(sum: (channels: ScaledChannels) => tf.Tensor3D, sizes: Sizes): number {
  return tf.tidy(() => {
    const channels = draw(sizes);
    const found = sum(channels);
    expect(found.shape).toEqual([sizes.shape[0], 2, sizes.shape.at(-1)]);
    return relativeError(found.dataSync<'float32'>(), reference(channels));
  });
}

const natively = (channels: ScaledChannels) => sumProductsNatively(channels, nativeOperations());

describe('sums of products by channel', () => {
  it.each(EDGES)('are those of a float64 loop: %j', (sizes) => {
    expect(errorOf(sumProductsPlainly, sizes)).toBeLessThan(ROUNDING);
    expect(errorOf(sumProducts, sizes)).toBeLessThan(ROUNDING);
  });

  it('leave no tensor behind', () => {
    const before = tf.memory().numTensors;
    errorOf(sumProducts, { shape: [2, 3, 4], centered: true });
    expect(tf.memory().numTensors).toBe(before);
  });
});

describeNative('the native sums of products', () => {
  eachDevice('agree with a float64 loop', () => {
    fc.assert(
      fc.property(anySizes, (sizes) => {
        expect(errorOf(natively, sizes)).toBeLessThan(ROUNDING);
      }),
    );
    for (const sizes of EDGES) expect(errorOf(natively, sizes)).toBeLessThan(ROUNDING);
  });

  eachDevice('are zero where there are no positions', () => {
    const sums = tf.tidy(() => natively(draw({ shape: [2, 0, 3], centered: false })).dataSync());
    expect([...sums]).toEqual(Array<number>(12).fill(0));
  });

  it.each([
    ['values', [2, 5, 3], /output_gradients \[2, 4, 3\] and values \[2, 5, 3\] differ in positions/],
    ['values', [3, 4, 3], /output_gradients \[2, 4, 3\] and values \[3, 4, 3\] differ in examples/],
    ['values', [2, 4, 2], /output_gradients \[2, 4, 3\] and values \[2, 4, 2\] differ in channels/],
    ['values', [24], /values \[24\] is of a rank below 2/],
    ['center', [4], /center \[4\] and values \[2, 4, 3\] differ in channels/],
  ] as const)('refuse %s of shape %j', (name, shape, message) => {
    const zeros = tf.zeros as (shape: number[]) => tf.Tensor;
    const failing = () =>
      tf.tidy(() => natively({ ...draw({ shape: [2, 4, 3], centered: true }), [name]: zeros([...shape]) }));
    expect(failing).toThrow(message);
    expect(failing).toThrow('BergsonSumProducts');
  });
});
