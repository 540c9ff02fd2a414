import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import { linear, linearNatively, linearPlainly, type LinearMap } from '../../kernels/linear';
import { relativeError, ROUNDING } from '../support/closeness';
import { randomNormal } from '../support/random-tensor';
import { describeNative, eachInstructionSet, nativeOperations } from './native-operations';

interface Sizes {
  /** All but the last axis. */
  readonly rows: number[];
  readonly inputs: number;
  readonly outputs: number;
  readonly transposed: boolean;
  readonly biased: boolean;
}

const anySizes: fc.Arbitrary<Sizes> = fc.record({
  rows: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 }),
  inputs: fc.integer({ min: 1, max: 70 }),
  outputs: fc.integer({ min: 1, max: 150 }),
  transposed: fc.boolean(),
  biased: fc.boolean(),
});

/** Around the sizes of blocks, and enough rows for the operation to serve. */
const EDGES: readonly Sizes[] = [
  { rows: [2, 48], inputs: 16, outputs: 64, transposed: false, biased: true },
  { rows: [4, 128], inputs: 65, outputs: 65, transposed: true, biased: false },
  { rows: [513], inputs: 300, outputs: 33, transposed: true, biased: true },
  { rows: [3, 200], inputs: 520, outputs: 17, transposed: false, biased: true },
  { rows: [64], inputs: 1, outputs: 1, transposed: false, biased: false },
];

function draw({ rows, inputs, outputs, transposed, biased }: Sizes): LinearMap & { readonly x: tf.Tensor } {
  return {
    x: randomNormal([...rows, inputs], 1),
    weight: randomNormal<tf.Rank.R2>(transposed ? [outputs, inputs] : [inputs, outputs], 2),
    transposed,
    bias: biased ? randomNormal<tf.Rank.R1>([outputs], 3) : null,
  };
}

/** The definition, loop by loop in float64. */
function reference(
  { inputs, outputs, transposed }: Sizes,
  { x, weight, bias }: ReturnType<typeof draw>,
): Float64Array {
  const [rows, w, b] = [x.dataSync(), weight.dataSync(), bias?.dataSync()];
  return Float64Array.from({ length: (x.size / inputs) * outputs }, (_, at) => {
    const [row, output] = [Math.floor(at / outputs), at % outputs];
    let sum = b?.[output] ?? 0;
    for (let i = 0; i < inputs; i++) {
      sum += rows[row * inputs + i]! * w[transposed ? output * inputs + i : i * outputs + output]!;
    }
    return sum;
  });
}

function errorOf(map: (x: tf.Tensor, map: LinearMap) => tf.Tensor, sizes: Sizes): number {
  return tf.tidy(() => {
    const drawn = draw(sizes);
    const found = map(drawn.x, drawn);
    expect(found.shape).toEqual([...sizes.rows, sizes.outputs]);
    return relativeError(found.dataSync<'float32'>(), reference(sizes, drawn));
  });
}

/** What a map of x, weight and bias has as gradients, or as gradients of the sum of their squares. */
function gradientsOf(map: typeof linear, sizes: Sizes, order: 1 | 2): Float32Array[] {
  return tf.tidy(() => {
    const { x, weight, bias, transposed } = draw(sizes);
    const outputGradients = randomNormal([...sizes.rows, sizes.outputs], 4);
    const value = (...[x, weight, bias]: tf.Tensor[]) =>
      map(x as tf.Tensor, {
        weight: weight as tf.Tensor2D,
        transposed,
        bias: (bias ?? null) as tf.Tensor1D | null,
      })
        .square()
        .mul(outputGradients)
        .sum();
    const given = bias === null ? [x, weight] : [x, weight, bias];
    const first = tf.grads(value);
    const second = tf.grads((...inputs: tf.Tensor[]) =>
      tf.addN(first(inputs).map((gradient) => gradient.square().sum())),
    );
    return (order === 1 ? first : second)(given).map((gradient) => gradient.dataSync<'float32'>());
  });
}

describe('a linear map', () => {
  it.each(EDGES)('is that of a float64 loop: %j', (sizes) => {
    expect(errorOf(linearPlainly, sizes)).toBeLessThan(ROUNDING);
    expect(errorOf(linear, sizes)).toBeLessThan(ROUNDING);
  });

  it.each(EDGES)('has the gradients of plain operations, and theirs: %j', (sizes) => {
    for (const order of [1, 2] as const) {
      const expected = gradientsOf(linearPlainly, sizes, order);
      gradientsOf(linear, sizes, order).forEach((gradient, i) => {
        expect(relativeError(gradient, expected[i]!)).toBeLessThan(ROUNDING);
      });
    }
  });

  it('computes no gradient that nobody asks for', async () => {
    const { x, ...map } = draw(EDGES[0]!);
    const { kernels } = await tf.profile(() => tf.grad((x: tf.Tensor) => linear(x, map))(x));
    // Forward, and the gradient of x.
    expect(kernels.filter(({ name }) => /MatMul|Linear/.test(name))).toHaveLength(2);
    tf.dispose([x, map.weight, map.bias ?? []]);
  });

  it('leaves no tensor behind', () => {
    const before = tf.memory().numTensors;
    errorOf(linear, EDGES[0]!);
    gradientsOf(linear, EDGES[0]!, 2);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describeNative('the native linear map', () => {
  const natively = (x: tf.Tensor, map: LinearMap) => linearNatively(x, map, nativeOperations());

  eachInstructionSet('agrees with a float64 loop', () => {
    fc.assert(
      fc.property(anySizes, (sizes) => {
        expect(errorOf(natively, sizes)).toBeLessThan(ROUNDING);
      }),
    );
    for (const sizes of EDGES) expect(errorOf(natively, sizes)).toBeLessThan(ROUNDING);
  });

  eachInstructionSet('is the bias where there are no inputs, and nothing where there are no rows', () => {
    tf.tidy(() => {
      const sizes = { rows: [2], inputs: 0, outputs: 3, transposed: false, biased: true };
      const { x, ...map } = draw(sizes);
      const found = natively(x, map).sub(map.bias as tf.Tensor1D);
      expect([...found.dataSync()]).toEqual(Array<number>(6).fill(0));
      const empty = { ...sizes, rows: [2, 0], inputs: 4 };
      const { x: none, ...other } = draw(empty);
      expect(natively(none, other).shape).toEqual([2, 0, 3]);
    });
  });

  it.each([
    [{ weight: [5, 3] }, /x \[2, 4\] and weight \[5, 3\] differ in inputs/],
    [{ weight: [4, 3], transposed: true }, /x \[2, 4\] and weight \[4, 3\] differ in inputs/],
    [{ weight: [4] }, /weight \[4\] is not of rank 2/],
    [{ bias: [4] }, /weight \[4, 3\] and bias \[4\] differ in outputs/],
    [{ bias: [1, 3] }, /bias \[1, 3\] is not of rank 1/],
    [{ x: [] }, /x \[\] is of a rank below 1/],
  ] as [Record<string, number[] | boolean>, RegExp][])('refuses %j', (changed, message) => {
    const zeros = (name: string, shape: number[]) => tf.zeros<tf.Rank>((changed[name] ?? shape) as number[]);
    const failing = () => {
      tf.tidy(() => {
        natively(zeros('x', [2, 4]), {
          weight: zeros('weight', [4, 3]) as tf.Tensor2D,
          transposed: changed.transposed === true,
          bias: zeros('bias', [3]) as tf.Tensor1D,
        });
      });
    };
    expect(failing).toThrow(message);
    expect(failing).toThrow('BergsonLinear');
  });
});
