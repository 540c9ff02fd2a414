import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import type { ProjectedFactors } from '../../kernels/project-factors';
import {
  projectNormalized,
  projectNormalizedNatively,
  projectNormalizedPatches,
  projectNormalizedPatchesNatively,
  projectNormalizedPlainly,
  type ElementScale,
  type KernelMoments,
} from '../../kernels/project-normalized';
import type { ProjectedPatches } from '../../kernels/project-patches';
import { relativeError, ROUNDING, sameBits } from '../support/closeness';
import { randomNormal } from '../support/random-tensor';
import * as convolutions from './convolutions';
import { describeNative, eachDevice, nativeOperations } from './native-operations';

/** Sizes of one call; a left side that is not projected has no size of its own. */
interface Sizes {
  readonly n: number;
  readonly s: number;
  readonly k: number;
  readonly o: number;
  readonly p: number | null;
  readonly q: number;
  readonly bias: boolean;
}

const size = (max: number) => fc.integer({ min: 1, max });
// Errors are relative to the largest element: of few elements all may be sums that nearly cancel.
const anySizes: fc.Arbitrary<Sizes> = fc
  .record({
    n: size(5),
    s: size(40),
    k: size(150),
    o: size(70),
    p: fc.option(size(20)),
    q: size(20),
    bias: fc.boolean(),
  })
  .filter(({ n, o, p, q }) => n * (p ?? o) * q >= 8);

const PLAIN: Sizes = { n: 4, s: 6, k: 30, o: 40, p: 16, q: 16, bias: true };

/** Many tiles, several blocks of inputs a task, one position, more positions than a panel, fewer examples than tasks. */
const EDGES: readonly Sizes[] = [
  PLAIN,
  { ...PLAIN, n: 3, s: 1, k: 784, o: 129 },
  { ...PLAIN, n: 19, s: 1, p: null, bias: false },
  { ...PLAIN, n: 1, s: 300, k: 65, o: 33 },
  { ...PLAIN, n: 9, s: 3, k: 1100, o: 64 },
  { ...PLAIN, p: null },
];

const CORRECTION = 1.7;
const EPSILON = 0.03;

function draw({ n, s, k, o, p, q, bias }: Sizes): ProjectedFactors {
  return {
    activations: randomNormal<tf.Rank.R3>([n, s, k], 1),
    right: randomNormal<tf.Rank.R2>([k, q], 2),
    biasRow: bias ? randomNormal<tf.Rank.R2>([1, q], 3) : null,
    outputGradients: randomNormal<tf.Rank.R3>([n, s, o], 4),
    left: p === null ? null : randomNormal<tf.Rank.R2>([o, p], 5),
    multiplier: 3,
  };
}

/** Moments over five orders of magnitude, zeros among them, as an optimizer has them. */
function drawMoments(inputs: number, outputs: number, bias: boolean): KernelMoments {
  const moments = (shape: number[], seed: number) =>
    tf
      .randomUniform(shape, -4, 1, 'float32', seed)
      .exp()
      .mul(tf.randomUniform(shape, 0, 1, 'float32', seed + 1).greater(0.1));
  return {
    kernel: moments([inputs, outputs], 6),
    bias: bias ? moments([outputs], 8) : null,
    correction: CORRECTION,
    epsilon: EPSILON,
  };
}

function scaleOf(moments: KernelMoments): ElementScale {
  const { kernel, bias } = moments;
  const matrix = () => {
    const rows = [kernel as tf.Tensor2D];
    if (bias !== null) rows.push(bias.reshape([1, -1]));
    const transposed: tf.Tensor2D = tf.concat2d(rows, 0).transpose();
    return transposed.mul<tf.Tensor2D>(CORRECTION).sqrt().add<tf.Tensor2D>(EPSILON).reciprocal();
  };
  return { matrix, moments };
}

/** The definition, loop by loop in float64. */
function reference(factors: ProjectedFactors, moments: KernelMoments): Float64Array {
  const values = (tensor: tf.Tensor | null) => tensor?.dataSync<'float32'>() ?? new Float32Array();
  const [n = 0, s = 0, k = 0] = factors.activations.shape;
  const o = factors.outputGradients.shape[2] ?? 0;
  const [p, q] = [factors.left?.shape[1] ?? o, factors.right?.shape[1] ?? k];
  const [a, d, r, b, l] = [
    values(factors.activations),
    values(factors.outputGradients),
    values(factors.right),
    values(factors.biasRow),
    values(factors.left),
  ];
  const [v, w] = [values(moments.kernel), values(moments.bias)];
  const scale = (x: number) => factors.multiplier / (Math.sqrt(CORRECTION * x) + EPSILON);
  const result = new Float64Array(n * p * q);
  for (let example = 0; example < n; example++) {
    for (let output = 0; output < o; output++) {
      const halfway = new Float64Array(q);
      for (let input = 0; input < k + (factors.biasRow === null ? 0 : 1); input++) {
        let sum = 0;
        for (let at = example * s; at < (example + 1) * s; at++) {
          sum += d[at * o + output]! * (input < k ? a[at * k + input]! : 1);
        }
        const scaled = sum * scale(input < k ? v[input * o + output]! : w[output]!);
        for (let j = 0; j < q; j++) halfway[j]! += scaled * (input < k ? r[input * q + j]! : b[j]!);
      }
      for (let i = 0; i < p; i++) {
        const left = factors.left === null ? Number(i === output) : l[output * p + i]!;
        for (let j = 0; j < q; j++) result[(example * p + i) * q + j]! += left * halfway[j]!;
      }
    }
  }
  return result;
}

function errorOf(
  project: (factors: ProjectedFactors, scale: ElementScale, moments: KernelMoments) => tf.Tensor3D,
  sizes: Sizes,
): number {
  return tf.tidy(() => {
    const factors = draw(sizes);
    const moments = drawMoments(sizes.k, sizes.o, sizes.bias);
    const found = project(factors, scaleOf(moments), moments);
    expect(found.shape).toEqual([sizes.n, sizes.p ?? sizes.o, sizes.q]);
    return relativeError(found.dataSync<'float32'>(), reference(factors, moments));
  });
}

function patchErrorOf(
  project: (patches: ProjectedPatches, scale: ElementScale, moments: KernelMoments) => tf.Tensor3D,
  sizes: convolutions.Sizes,
): number {
  return tf.tidy(() => {
    const patches = convolutions.draw(sizes);
    const { kernel, channels, outputs, bias } = sizes;
    const moments = drawMoments(kernel[0] * kernel[1] * channels, outputs, bias);
    const scale = scaleOf(moments);
    const found = project(patches, scale, moments);
    const expected = projectNormalizedPlainly(convolutions.asLinearMap(patches), scale.matrix());
    return relativeError(found.dataSync<'float32'>(), expected.dataSync<'float32'>());
  });
}

const natively = (factors: ProjectedFactors, _: ElementScale, moments: KernelMoments) =>
  projectNormalizedNatively(factors, moments, nativeOperations());
const patchesNatively = (patches: ProjectedPatches, _: ElementScale, moments: KernelMoments) =>
  projectNormalizedPatchesNatively(patches, moments, nativeOperations());

describe('normalized and projected gradients of a linear map', () => {
  it.each(EDGES)('are those of a float64 loop: %j', (sizes) => {
    expect(
      errorOf((factors, scale) => projectNormalizedPlainly(factors, scale.matrix()), sizes),
    ).toBeLessThan(ROUNDING);
    expect(errorOf(projectNormalized, sizes)).toBeLessThan(ROUNDING);
  });

  it.each(convolutions.EDGES)('are those of the patches: %j', (sizes) => {
    expect(patchErrorOf(projectNormalizedPatches, sizes)).toBeLessThan(ROUNDING);
  });

  it('leave no tensor behind', () => {
    const before = tf.memory().numTensors;
    errorOf(projectNormalized, PLAIN);
    patchErrorOf(projectNormalizedPatches, convolutions.PLAIN);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describeNative('the native projection of normalized gradients', () => {
  eachDevice('agrees with a float64 loop', () => {
    fc.assert(
      fc.property(anySizes, (sizes) => {
        expect(errorOf(natively, sizes)).toBeLessThan(ROUNDING);
      }),
      { numRuns: 30 },
    );
    for (const sizes of EDGES) expect(errorOf(natively, sizes)).toBeLessThan(ROUNDING);
  });

  eachDevice('agrees with the plain operations over patches', () => {
    fc.assert(
      fc.property(convolutions.anySizes, (sizes) => {
        expect(patchErrorOf(patchesNatively, sizes)).toBeLessThan(ROUNDING);
      }),
      { numRuns: 30 },
    );
    for (const sizes of convolutions.EDGES)
      expect(patchErrorOf(patchesNatively, sizes)).toBeLessThan(ROUNDING);
  });

  eachDevice('gives zeros where there are no positions', () => {
    tf.tidy(() => {
      const found = projectNormalizedNatively(
        draw({ ...PLAIN, s: 0 }),
        drawMoments(PLAIN.k, PLAIN.o, PLAIN.bias),
        nativeOperations(),
      );
      expect(found.abs().max().dataSync()[0]).toBe(0);
    });
  });

  it('gives the same bits each time', () => {
    tf.tidy(() => {
      const factors = draw(PLAIN);
      const moments = drawMoments(PLAIN.k, PLAIN.o, PLAIN.bias);
      const run = () => projectNormalizedNatively(factors, moments, nativeOperations()).dataSync<'float32'>();
      const first = run();
      for (let i = 0; i < 10; i++) expect(sameBits(run(), first)).toBe(true);
    });
  });

  const zeros = tf.zeros as (shape: number[]) => tf.Tensor;
  it.each([
    ['kernel', [30, 41], /moments \[30, 41\] and output_gradients \[4, 6, 40\] differ in outputs/],
    ['kernel', [31, 40], /moments \[31, 40\] and activations \[4, 6, 30\] differ in inputs/],
    ['kernel', [40], /moments \[40\] is of a rank below 2/],
    ['bias', [41], /bias_moments \[41\] and output_gradients \[4, 6, 40\] differ in outputs/],
    ['bias', [0, 0], /of bias_row and bias_moments one is missing/],
  ] as const)('refuses moments of the %s of shape %j', (name, shape, message) => {
    const failing = () =>
      tf.tidy(() => {
        const moments = { ...drawMoments(PLAIN.k, PLAIN.o, PLAIN.bias), [name]: zeros([...shape]) };
        return projectNormalizedNatively(draw(PLAIN), moments, nativeOperations());
      });
    expect(failing).toThrow(message);
    expect(failing).toThrow('BergsonProjectNormalized');
  });
});
