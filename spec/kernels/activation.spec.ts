import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import {
  activate,
  activateNatively,
  activatePlainly,
  activationGradient,
  activationGradientNatively,
  activationGradientPlainly,
  gateGradientsNatively,
  gateGradientsPlainly,
  gateNatively,
  gatePlainly,
  type ActivationFunction,
} from '../../kernels/activation';
import { relativeError, sameBits } from '../support/closeness';
import { normalNumbers, randomNormal } from '../support/random-tensor';
import { describeNative, eachInstructionSet, nativeOperations } from './native-operations';

/** Of a value, relative to x, and of a derivative: a few roundings of float32. */
const ROUNDING = 5e-7;

const NAMES: readonly ActivationFunction[] = ['gelu', 'geluTanh', 'silu'];

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** The standard normal distribution function, by its power series or a continued fraction. */
function normalDistribution(x: number): number {
  const a = Math.abs(x);
  if (a > 4) {
    let fraction = a;
    for (let k = 200; k > 0; k--) fraction = a + k / fraction;
    const tail = density(a) / fraction;
    return x < 0 ? tail : 1 - tail;
  }
  let sum = 0;
  for (let k = 0, term = x; k < 100; k++, term *= (x * x) / (2 * k + 1)) sum += term;
  return 0.5 + density(x) * sum;
}

const twiceU = (x: number) => 2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);
const rise = (x: number) => 2 * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x ** 2);

/** In float64, and with the limits of the derivatives at infinity. */
const REFERENCE: Record<ActivationFunction, Record<'value' | 'derivative', (x: number) => number>> = {
  gelu: {
    value: (x) => x * normalDistribution(x),
    derivative: (x) => normalDistribution(x) + (Number.isFinite(x) ? x * density(x) : 0),
  },
  geluTanh: {
    value: (x) => x * sigmoid(twiceU(x)),
    derivative: (x) => {
      const gate = sigmoid(twiceU(x));
      return Math.abs(x) > 20 ? gate : gate + x * gate * (1 - gate) * rise(x);
    },
  },
  silu: {
    value: (x) => x * sigmoid(x),
    derivative: (x) => sigmoid(x) + (Math.abs(x) > 200 ? 0 : x * sigmoid(x) * (1 - sigmoid(x))),
  },
};

/** Densely where the functions bend, and by powers of ten to the ends of float32. */
const EVERYWHERE = Float32Array.from([
  ...Array.from({ length: 20_001 }, (_, i) => (i - 10_000) / 500),
  ...Array.from({ length: 2_001 }, (_, i) => (i - 1_000) / 10),
  ...Array.from({ length: 76 }, (_, i) => 10 ** (i - 37)).flatMap((x) => [x, -x]),
  0,
  -0,
]);

type Run = (name: ActivationFunction, x: tf.Tensor, outputGradients: tf.Tensor) => tf.Tensor;

const values = {
  plainly: (name: ActivationFunction, x: tf.Tensor) => activatePlainly(name, x),
  natively: (name: ActivationFunction, x: tf.Tensor) => activateNatively(name, x, nativeOperations()),
};
const gradients: Record<'plainly' | 'natively', Run> = {
  plainly: activationGradientPlainly,
  natively: (name, x, dy) => activationGradientNatively(name, x, dy, nativeOperations()),
};

function valuesOf(run: Run, name: ActivationFunction, x: Float32Array): Float32Array {
  return tf.tidy(() => {
    const input = tf.tensor1d(x);
    return run(name, input, tf.onesLike(input)).dataSync<'float32'>().slice();
  });
}

/** The largest error of the values relative to x, and of the derivatives. */
function errorsOf(way: 'plainly' | 'natively', name: ActivationFunction, x: Float32Array): [number, number] {
  const { value, derivative } = REFERENCE[name];
  const found = valuesOf(values[way], name, x);
  const slopes = valuesOf(gradients[way], name, x);
  let [worst, worstSlope] = [0, 0];
  x.forEach((x, i) => {
    const error = Math.abs((found[i] ?? NaN) - value(x)) / Math.max(Math.abs(x), 1e-37);
    const slopeError = Math.abs((slopes[i] ?? NaN) - derivative(x));
    worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
    worstSlope = Number.isNaN(slopeError) ? Infinity : Math.max(worstSlope, slopeError);
  });
  return [worst, worstSlope];
}

const anyShape = fc.array(fc.integer({ min: 0, max: 19 }), { maxLength: 4 });

describe.each(NAMES)('%s', (name) => {
  it('and its derivative are those of a float64 computation', () => {
    const x = normalNumbers(5_000, 1).map((value) => 3 * value);
    const [value, derivative] = errorsOf('plainly', name, x);
    expect(value).toBeLessThan(ROUNDING);
    // A difference from 1 is multiplied by x.
    expect(derivative).toBeLessThan(10 * ROUNDING);
  });

  it('leaves no tensor behind', () => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      activationGradient(name, activate(name, tf.ones([2, 3])), tf.ones([2, 3]));
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});

describeNative('native activations', () => {
  eachInstructionSet('are those of a float64 computation in all of float32', () => {
    for (const name of NAMES) {
      const [value, derivative] = errorsOf('natively', name, EVERYWHERE);
      expect({ name, value, fits: value < ROUNDING }).toEqual({ name, value, fits: true });
      expect({ name, derivative, fits: derivative < ROUNDING }).toEqual({ name, derivative, fits: true });
    }
  });

  // Of x / (1 + e^-x) nothing is left there but the exponential: its own error, and half a unit for each of two divisions.
  eachInstructionSet('have an exponential that is right to two units in the last place', () => {
    const x = Float32Array.from({ length: 30_000 }, (_, i) => -17 - (70 * i) / 30_000);
    const found = valuesOf(values.natively, 'silu', x);
    const units = [...x].map((x, i) => Math.abs((found[i] ?? NaN) / (x * Math.exp(x)) - 1) * 2 ** 23);
    expect(Math.max(...units)).toBeLessThan(2.5);
  });

  eachInstructionSet('go on with what is no number, and have limits at infinity', () => {
    for (const name of NAMES) {
      const x = Float32Array.from([Infinity, NaN, -Infinity, 1e38, -1e38, -104, -110]);
      const [infinity, number, negative, ...finite] = valuesOf(values.natively, name, x);
      expect([infinity, number, negative]).toEqual([Infinity, NaN, NaN]);
      expect(finite[0]).toBe(Math.fround(1e38));
      for (const value of finite.slice(1)) expect(Math.abs(value)).toBeLessThan(1e-40);
      const [above, , below, ...slopes] = valuesOf(gradients.natively, name, x);
      expect([above, slopes[0]]).toEqual([1, 1]);
      expect(valuesOf(gradients.natively, name, Float32Array.of(NaN))).toEqual(Float32Array.of(NaN));
      for (const slope of [below, ...slopes.slice(1)]) expect(Math.abs(slope ?? NaN)).toBeLessThan(1e-34);
    }
  });

  eachInstructionSet('agree with the plain operations in any shape', () => {
    fc.assert(
      fc.property(anyShape, fc.constantFrom(...NAMES), (shape, name) => {
        tf.tidy(() => {
          const [x, dy] = [randomNormal(shape, 1), randomNormal(shape, 2)];
          const backend = nativeOperations();
          const pairs: [tf.Tensor, tf.Tensor][] = [
            [activateNatively(name, x, backend), activatePlainly(name, x)],
            [activationGradientNatively(name, x, dy, backend), activationGradientPlainly(name, x, dy)],
          ];
          for (const [found, expected] of pairs) {
            expect(found.shape).toEqual(shape);
            const error = relativeError(found.dataSync(), expected.dataSync());
            expect(error).toBeLessThan(10 * ROUNDING);
          }
        });
      }),
    );
  });

  eachInstructionSet('agree with the plain operations where they are gates', () => {
    fc.assert(
      fc.property(anyShape, fc.constantFrom(...NAMES), (shape, name) => {
        tf.tidy(() => {
          const [x, factors, dy] = [1, 2, 3].map((seed) => randomNormal(shape, seed)) as [
            tf.Tensor,
            tf.Tensor,
            tf.Tensor,
          ];
          const backend = nativeOperations();
          const expected = [gatePlainly(name, x, factors), ...gateGradientsPlainly(name, x, factors, dy)];
          const found = [
            gateNatively(name, x, factors, backend),
            ...gateGradientsNatively(name, x, factors, dy, backend),
          ];
          found.forEach((result, i) => {
            expect(result.shape).toEqual(shape);
            const error = relativeError(result.dataSync(), expected[i]?.dataSync() ?? []);
            expect(error).toBeLessThan(10 * ROUNDING);
          });
        });
      }),
    );
  });

  it('are the same by any number of threads', () => {
    const x = normalNumbers(500_001, 1);
    for (const run of [values.natively, gradients.natively]) {
      const whole = valuesOf(run, 'gelu', x);
      for (let first = 0; first < x.length; first += 999) {
        const part = valuesOf(run, 'gelu', x.subarray(first, first + 999));
        expect(sameBits(part, whole.subarray(first, first + 999))).toBe(true);
      }
    }
  });

  it('refuse output gradients of another shape', () => {
    const failing = () => tf.tidy(() => gradients.natively('silu', tf.zeros([2, 3]), tf.zeros([3, 2])));
    expect(failing).toThrow(
      'BergsonActivationGradient: x [2, 3] and output_gradients [3, 2] differ in shape',
    );
  });

  it('refuse factors of another shape', () => {
    const [x, other] = [tf.zeros([2, 3]), tf.zeros([6])];
    const backend = nativeOperations();
    expect(() => gateNatively('silu', x, other, backend)).toThrow(
      'BergsonGatedActivation: x [2, 3] and factors [6] differ in shape',
    );
    expect(() => gateGradientsNatively('silu', x, other, x, backend)).toThrow(
      'BergsonGatedActivationGradients: x [2, 3] and factors [6] differ in shape',
    );
    expect(() => gateGradientsNatively('silu', x, x, other, backend)).toThrow(
      'BergsonGatedActivationGradients: x [2, 3] and output_gradients [6] differ in shape',
    );
    tf.dispose([x, other]);
  });

  it('refuse functions that they do not know', () => {
    const failing = () =>
      tf.tidy(() => activateNatively('tanh' as 'gelu', tf.zeros([2]), nativeOperations()));
    expect(failing).toThrow('BergsonActivation');
    expect(failing).toThrow('"tanh"');
  });
});
