import { spawnSync } from 'node:child_process';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import {
  attentionKernel,
  nativeAttention,
  plainAttention,
  type AttentionKernel,
  type CausalAttention,
} from '../../kernels/causal-attention';
import { TYPESCRIPT } from '../support/child-process';
import { relativeError, ROUNDING } from '../support/closeness';
import { randomNormal } from '../support/random-tensor';
import { describeNative, eachInstructionSet, nativeOperations } from './native-operations';

interface Sizes extends Omit<CausalAttention, 'heads' | 'frequencies' | 'scale'> {
  readonly examples: number;
  readonly positions: number;
  /** Heads of queries for each of keys. */
  readonly shared: number;
  /** Channels of a head. */
  readonly size: number;
  /** Pairs of them that are turned. */
  readonly pairs: number;
}

const usual: Sizes = {
  ...{ examples: 2, positions: 7, keyHeads: 2, shared: 1, size: 5, pairs: 0 },
  ...{ window: null, order: null },
};

/** Few enough numbers that each is moved by itself, up and down. */
const SMALL: readonly Sizes[] = [
  usual,
  { ...usual, examples: 1, positions: 1 },
  { ...usual, shared: 3, pairs: 2 },
  { ...usual, window: 3, size: 8 },
  { ...usual, window: 1, shared: 2 },
  { ...usual, order: 'map by map', size: 3 },
  { ...usual, order: 'head by head', pairs: 1 },
  { ...usual, positions: 50, keyHeads: 1, examples: 1, size: 2, window: 20 },
];

/** Around the sizes of blocks and vectors. */
const EDGES: readonly Sizes[] = [
  ...SMALL,
  { ...usual, positions: 48, size: 16 },
  { ...usual, positions: 49, size: 17 },
  { ...usual, positions: 128, size: 64, order: 'map by map' },
  { ...usual, positions: 130, shared: 3, size: 12, pairs: 6, window: 50 },
  { ...usual, positions: 200, window: 16, size: 33, order: 'head by head', pairs: 8 },
];

const anySizes: fc.Arbitrary<Sizes> = fc
  .record({
    examples: fc.integer({ min: 1, max: 3 }),
    positions: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 40, max: 110 })),
    keyHeads: fc.integer({ min: 1, max: 3 }),
    shared: fc.integer({ min: 1, max: 3 }),
    size: fc.integer({ min: 1, max: 40 }),
    pairs: fc.nat({ max: 20 }),
    window: fc.option(fc.integer({ min: 1, max: 60 })),
    order: fc.option(fc.constantFrom('map by map' as const, 'head by head' as const)),
  })
  .map((sizes) => ({
    ...sizes,
    shared: sizes.order === null ? sizes.shared : 1,
    pairs: Math.min(sizes.pairs, Math.floor(sizes.size / 2)),
  }));

function attentionOf({ keyHeads, shared, size, pairs, window, order }: Sizes): CausalAttention {
  const frequencies = pairs === 0 ? null : Array.from({ length: pairs }, (_, i) => 0.5 ** i);
  return { heads: keyHeads * shared, keyHeads, scale: size ** -0.5, window, frequencies, order };
}

function shapesOf({ examples, positions, keyHeads, shared, size, order }: Sizes): number[][] {
  const channels = [keyHeads * shared, keyHeads, keyHeads].map((heads) => heads * size);
  if (order !== null) return [[examples, positions, 3 * keyHeads * size]];
  return channels.map((count) => [examples, positions, count]);
}

/** Products of queries and keys are a few units, so that weights are far from equal. */
const draw = (sizes: Sizes): tf.Tensor3D[] =>
  shapesOf(sizes).map((shape, i) =>
    randomNormal<tf.Rank.R3>(shape as [number, number, number], i + 1).mul(1.5),
  );

function drawGradients({ examples, positions, keyHeads, shared, size }: Sizes): tf.Tensor3D {
  return randomNormal<tf.Rank.R3>([examples, positions, keyHeads * shared * size], 9);
}

/** The definition, loop by loop in float64: [N, S, H D] of inputs as they lie in memory. */
function reference(sizes: Sizes, inputs: readonly ArrayLike<number>[]): Float64Array {
  const { examples, positions, keyHeads, shared, size, pairs, window, order } = sizes;
  const { heads, scale, frequencies } = attentionOf(sizes);
  const at = (map: number, n: number, s: number, h: number, d: number): number => {
    const position = n * positions + s;
    if (order === 'map by map') return inputs[0]![((position * 3 + map) * heads + h) * size + d]!;
    if (order === 'head by head') return inputs[0]![((position * heads + h) * 3 + map) * size + d]!;
    return inputs[map]![(position * (map === 0 ? heads : keyHeads) + h) * size + d]!;
  };
  const turned = (map: number, n: number, s: number, h: number): number[] => {
    const x = Array.from({ length: size }, (_, d) => at(map, n, s, h, d));
    frequencies?.forEach((frequency, i) => {
      const [first, second, angle] = [x[i]!, x[pairs + i]!, Math.fround(s * frequency)];
      x[i] = first * Math.cos(angle) - second * Math.sin(angle);
      x[pairs + i] = second * Math.cos(angle) + first * Math.sin(angle);
    });
    return x;
  };
  const output = new Float64Array(examples * positions * heads * size);
  for (let n = 0; n < examples; n++) {
    for (let h = 0; h < heads; h++) {
      const group = Math.floor(h / shared);
      const keys = Array.from({ length: positions }, (_, s) => turned(1, n, s, group));
      for (let s = 0; s < positions; s++) {
        const query = turned(0, n, s, h);
        const first = window === null ? 0 : Math.max(0, s - window + 1);
        const weights = keys
          .slice(first, s + 1)
          .map((key) => Math.exp(scale * key.reduce((sum, value, d) => sum + value * query[d]!, 0)));
        const total = weights.reduce((a, b) => a + b, 0);
        weights.forEach((weight, i) => {
          for (let d = 0; d < size; d++) {
            const to = ((n * positions + s) * heads + h) * size + d;
            output[to]! += (weight / total) * at(2, n, first + i, group, d);
          }
        });
      }
    }
  }
  return output;
}

/** Central differences in float64, whose error is below 1e-8: the gradient of <output, gradients> by each input. */
function differences(sizes: Sizes): Float64Array[] {
  const STEP = 1e-4;
  const inputs = inputsOf(sizes).map((values) => Float64Array.from(values));
  const gradients = tf.tidy(() => drawGradients(sizes).dataSync());
  const loss = () => reference(sizes, inputs).reduce((sum, value, i) => sum + value * gradients[i]!, 0);
  return inputs.map((input) =>
    input.map((value, i) => {
      input[i] = value + STEP;
      const above = loss();
      input[i] = value - STEP;
      const below = loss();
      input[i] = value;
      return (above - below) / (2 * STEP);
    }),
  );
}

function outputOf(kernel: AttentionKernel, sizes: Sizes): Float32Array {
  return tf.tidy(() => {
    const { output } = kernel.forward(draw(sizes), attentionOf(sizes));
    expect(output.shape).toEqual(drawGradients(sizes).shape);
    return output.dataSync<'float32'>();
  });
}

function gradientsOf(kernel: AttentionKernel, sizes: Sizes): Float32Array[] {
  return tf.tidy(() => {
    const { saved } = kernel.forward(draw(sizes), attentionOf(sizes));
    const gradients = kernel.backward(drawGradients(sizes), saved, attentionOf(sizes));
    expect(gradients.map(({ shape }) => shape)).toEqual(shapesOf(sizes));
    return gradients.map((gradient) => gradient.dataSync<'float32'>());
  });
}

/** The largest error of any input's gradient, relative to the largest gradient: one of a single key is zero. */
function gradientError(found: readonly Float32Array[], expected: readonly ArrayLike<number>[]): number {
  const all = (parts: readonly ArrayLike<number>[]) => parts.flatMap((part) => Array.from(part));
  expect(found.map(({ length }) => length)).toEqual(expected.map(({ length }) => length));
  return relativeError(all(found), all(expected));
}

const inputsOf = (sizes: Sizes) => tf.tidy(() => draw(sizes).map((x) => x.dataSync()));

describe('causal attention', () => {
  it.each(EDGES)('is that of a float64 loop: %j', (sizes) => {
    const expected = reference(sizes, inputsOf(sizes));
    expect(relativeError(outputOf(plainAttention, sizes), expected)).toBeLessThan(ROUNDING);
    expect(relativeError(outputOf(attentionKernel(), sizes), expected)).toBeLessThan(ROUNDING);
  });

  it.each(SMALL)('has the gradient that differences of a float64 loop have: %j', (sizes) => {
    const expected = differences(sizes);
    expect(gradientError(gradientsOf(plainAttention, sizes), expected)).toBeLessThan(ROUNDING);
    expect(gradientError(gradientsOf(attentionKernel(), sizes), expected)).toBeLessThan(ROUNDING);
  });

  it('leaves no tensor behind', () => {
    const before = tf.memory().numTensors;
    gradientsOf(attentionKernel(), usual);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describeNative('native causal attention', () => {
  const natively = () => nativeAttention(nativeOperations());

  eachInstructionSet('agrees with a float64 loop and with the plain one’s gradients', () => {
    fc.assert(
      fc.property(anySizes, (sizes) => {
        const expected = reference(sizes, inputsOf(sizes));
        expect(relativeError(outputOf(natively(), sizes), expected)).toBeLessThan(ROUNDING);
        const gradients = gradientsOf(plainAttention, sizes);
        expect(gradientError(gradientsOf(natively(), sizes), gradients)).toBeLessThan(ROUNDING);
      }),
      { numRuns: 40 },
    );
    for (const sizes of EDGES) {
      const gradients = gradientsOf(plainAttention, sizes);
      expect(gradientError(gradientsOf(natively(), sizes), gradients)).toBeLessThan(ROUNDING);
    }
    for (const sizes of SMALL) {
      expect(gradientError(gradientsOf(natively(), sizes), differences(sizes))).toBeLessThan(ROUNDING);
    }
  });

  eachInstructionSet('has exponentials to within a few units in the last place', () => {
    // The second of two positions gives the first, whose value is 1, a weight of e^x / (1 + e^x).
    const xs = Float64Array.from({ length: 4000 }, (_, i) => -87 * (i / 4000)).map(Math.fround);
    const found = tf.tidy(() => {
      const columns = (first: Float64Array, second: number) =>
        tf
          .stack([tf.tensor1d(Array.from(first)), tf.fill([first.length], second)], 1)
          .expandDims<tf.Tensor3D>(2);
      const inputs = [
        columns(xs, 1),
        columns(xs, 0),
        columns(
          xs.map(() => 1),
          0,
        ),
      ];
      const sizes = { ...usual, examples: xs.length, positions: 2, keyHeads: 1, size: 1 };
      return natively().forward(inputs, attentionOf(sizes)).output.slice([0, 1, 0]).dataSync();
    });
    const errors = Array.from(found, (weight, i) => Math.abs(weight * (1 + Math.exp(-xs[i]!)) - 1));
    expect(Math.max(...errors)).toBeLessThan(4e-7);
  });

  eachInstructionSet('gives large products the weights that they have', () => {
    // Products of some hundreds: the largest has nearly all weight, and exponentials of others are nothing.
    const sizes = { ...usual, positions: 60, size: 16 };
    const attention = { ...attentionOf(sizes), scale: 30 };
    const [found, expected] = [natively(), plainAttention].map((kernel) =>
      tf.tidy(() => {
        const { output, saved } = kernel.forward(draw(sizes), attention);
        const gradients = kernel.backward(drawGradients(sizes), saved, attention);
        return [output, ...gradients].flatMap((x) => Array.from(x.dataSync()));
      }),
    ) as [number[], number[]];
    // Products are rounded at 1e-7 of hundreds, and their exponentials at that.
    expect(relativeError(found, expected)).toBeLessThan(1e-3);
  });

  eachInstructionSet('gives an example alone what it gives it in a batch', () => {
    const sizes = { ...usual, examples: 3, positions: 70, shared: 2, pairs: 2 };
    tf.tidy(() => {
      const whole = draw(sizes);
      const part = whole.map((x) => x.slice([1, 0, 0], [1, -1, -1]));
      const attend = (inputs: tf.Tensor3D[]) => natively().forward(inputs, attentionOf(sizes)).output;
      const expected = attend(whole).slice([1, 0, 0], [1, -1, -1]).dataSync<'float32'>();
      expect(relativeError(attend(part).dataSync<'float32'>(), expected)).toBe(0);
    });
  });

  it.each([0, 1, 2])('makes what sees a number that is none, in input %i, none', (input) => {
    const sizes = { ...usual, positions: 60 };
    const [example, position, head] = [1, 20, 0];
    const heads = tf.tidy(() => {
      const inputs = draw(sizes).map((x, i) => {
        const values = x.dataSync().slice();
        const { size, keyHeads, positions } = sizes;
        if (i === input) values[((example * positions + position) * keyHeads + head) * size] = NaN;
        return tf.tensor3d(values, x.shape);
      });
      const { output } = natively().forward(inputs, attentionOf(sizes));
      return output
        .reshape([sizes.examples, sizes.positions, sizes.keyHeads, sizes.size])
        .isNaN()
        .any(3)
        .arraySync();
    }) as number[][][];
    heads.forEach((rows, n) => {
      rows.forEach((row, s) => {
        row.forEach((none, h) => {
          if (n !== example || h !== head) expect(none).toBe(0);
          else if (input === 0 ? s === position : s >= position) expect(none).toBe(1);
        });
      });
    });
  });

  it('gives the same bits on one thread and on four', () => {
    const child = path.join(__dirname, 'children', 'attend.ts');
    const [one, four] = ['1', '4'].map((threads) => {
      const env = { ...process.env, TF_NUM_INTRAOP_THREADS: threads };
      return spawnSync(process.execPath, ['-r', TYPESCRIPT, child], { encoding: 'utf8', env });
    });
    expect(one?.stdout).toMatch(/^[0-9a-f]{64}\n$/);
    expect(four?.stdout).toBe(one?.stdout);
  });

  const FITS = [2, 7, 10];
  const three = (query: number[], key: number[], value = key) => [query, key, value];
  it.each([
    [[[2, 7]], {}, /query \[2, 7\] is not of rank 3/],
    [three([2, 7, 9], FITS), {}, /query \[2, 7, 9\] has no multiple of 2 heads' channels/],
    [three(FITS, [2, 6, 10]), {}, /query \[2, 7, 10\] and key \[2, 6, 10\] differ in positions/],
    [three(FITS, [3, 7, 10]), {}, /query \[2, 7, 10\] and key \[3, 7, 10\] differ in examples/],
    [three(FITS, FITS, [2, 7, 8]), {}, /and value \[2, 7, 8\] differ in channels of a head/],
    [[FITS, FITS], {}, /value \[0, 0\] is not of rank 3/],
    [[[2, 7, 8]], { order: 'map by map' }, /query \[2, 7, 8\] has no multiple of 6 heads' channels/],
    [[[2, 7, 18]], { order: 'map by map', keyHeads: 1 }, /query holds keys, too, of as many heads/],
    [three(FITS, FITS), { frequencies: [1, 1, 1] }, /angles \[2, 7, 3\] and query \[2, 7, 10\] differ/],
    [three(FITS, FITS), { keyHeads: 3 }, /heads \[2, 3, 0, 0\] is out of range/],
    [three(FITS, FITS), { window: -1 }, /heads \[2, 2, -1, 0\] is out of range/],
  ] as [number[][], Partial<CausalAttention>, RegExp][])('refuses %j with %j', (shapes, options, message) => {
    const failing = () => {
      tf.tidy(() => {
        const inputs = shapes.map((shape) => tf.zeros<tf.Rank.R3>(shape as [number, number, number]));
        natively().forward(inputs, { ...attentionOf(usual), ...options });
      });
    };
    expect(failing).toThrow(message);
    expect(failing).toThrow('BergsonCausalAttention');
  });

  it.each([
    [4, [2, 7, 9], /query \[2, 7, 10\] and output \[2, 7, 9\] differ in channels of a head/],
    [5, [2, 2, 7], /query \[2, 7, 10\] and statistics \[2, 2, 7\] differ in examples, heads or positions/],
    [6, [2, 6, 10], /query \[2, 7, 10\] and output_gradients \[2, 6, 10\] differ in positions/],
  ])('refuses gradients with input %i of %j', (index, shape, message) => {
    const failing = () => {
      tf.tidy(() => {
        const { saved } = natively().forward(draw(usual), attentionOf(usual));
        const inputs = [...saved, drawGradients(usual)].map((x, i) => (i === index ? tf.zeros(shape) : x));
        natively().backward(inputs.pop() as tf.Tensor3D, inputs, attentionOf(usual));
      });
    };
    expect(failing).toThrow(message);
    expect(failing).toThrow('BergsonCausalAttentionGradients');
  });
});
