import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { asPositions } from '../../kernels/project';
import { projectPositionsPlainly } from '../../kernels/project-factors';
import {
  projectPatches,
  projectPatchesNatively,
  projectPatchesPlainly,
  type ProjectedPatches,
} from '../../kernels/project-patches';
import { relativeError, ROUNDING } from '../support/closeness';
import { describeNative, eachInstructionSet, nativeOperations } from './native-operations';

interface Sizes {
  readonly n: number;
  readonly image: readonly [height: number, width: number];
  readonly channels: number;
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly padding: 'same' | 'valid';
  readonly outputs: number;
  readonly p: number | null;
  readonly q: number;
  readonly bias: boolean;
}

const size = (max: number) => fc.integer({ min: 1, max });
const pair = (max: number) => fc.tuple(size(max), size(max));
/** TensorFlow's convolution, the definition, takes strides or dilations but not both. */
const anySizes: fc.Arbitrary<Sizes> = fc
  .record({
    n: size(4),
    image: fc.tuple(fc.integer({ min: 7, max: 20 }), fc.integer({ min: 7, max: 20 })),
    channels: size(18),
    kernel: pair(4),
    strides: pair(3),
    dilations: pair(2),
    padding: fc.constantFrom('same' as const, 'valid' as const),
    outputs: size(40),
    p: fc.option(size(20)),
    q: size(20),
    bias: fc.boolean(),
  })
  .map((sizes) => (sizes.dilations.includes(2) ? { ...sizes, strides: [1, 1] as const } : sizes));

const PLAIN: Sizes = {
  n: 3,
  image: [12, 12],
  channels: 5,
  kernel: [3, 3],
  strides: [1, 1],
  dilations: [1, 1],
  padding: 'same',
  outputs: 24,
  p: 16,
  q: 16,
  bias: true,
};

/** Lines longer than a block, parts of an example, even kernels, and kernels as large as the image. */
const EDGES: readonly Sizes[] = [
  PLAIN,
  { ...PLAIN, n: 1, image: [40, 37] },
  { ...PLAIN, n: 2, image: [5, 130], channels: 1, q: 9 },
  { ...PLAIN, n: 64, image: [14, 14], channels: 32, outputs: 64 },
  { ...PLAIN, kernel: [4, 2], strides: [2, 3] },
  { ...PLAIN, kernel: [3, 2], dilations: [2, 4] },
  { ...PLAIN, kernel: [12, 12], padding: 'valid' },
  { ...PLAIN, kernel: [12, 12] },
  { ...PLAIN, kernel: [1, 1], strides: [3, 3] },
  { ...PLAIN, image: [1, 9], kernel: [1, 4], padding: 'valid' },
];

function draw({ n, image, channels, outputs, p, q, bias, ...sizes }: Sizes): ProjectedPatches {
  const { kernel, padding } = sizes;
  const strides: [number, number] = [...sizes.strides];
  const dilations: [number, number] = [...sizes.dilations];
  const inputs = kernel[0] * kernel[1] * channels;
  const { outHeight, outWidth } = tf.backend_util.computeConv2DInfo(
    [n, ...image, channels],
    [...kernel, channels, 1],
    strides,
    dilations,
    padding,
  );
  const normal = <R extends tf.Rank>(shape: tf.ShapeMap[R], seed: number) =>
    tf.randomNormal<R>(shape, 0, 1, 'float32', seed);
  return {
    image: normal<tf.Rank.R4>([n, ...image, channels], 1),
    window: { kernelSize: kernel, strides, dilations, padding },
    right: normal<tf.Rank.R2>([inputs, q], 2),
    biasRow: bias ? normal<tf.Rank.R2>([1, q], 3) : null,
    outputGradients: normal<tf.Rank.R4>([n, outHeight, outWidth, outputs], 4),
    left: p === null ? null : normal<tf.Rank.R2>([outputs, p], 5),
    multiplier: 3,
  };
}

/** By patches gathered one kernel offset at a time, which shares nothing with a convolution. */
function fromPatches({ image, window, ...rest }: ProjectedPatches): tf.Tensor3D {
  const [rows, columns] = window.kernelSize;
  const { padInfo, outHeight, outWidth } = tf.backend_util.computeConv2DInfo(
    image.shape,
    [rows, columns, image.shape[3], 1],
    window.strides,
    window.dilations,
    window.padding,
  );
  const { top, bottom, left, right } = padInfo;
  const padded = image.pad([
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ]);
  const lines = (offset: number, step: number, count: number) =>
    tf.tensor1d(
      Array.from({ length: count }, (_, i) => offset + i * step),
      'int32',
    );
  const offsets = Array.from({ length: rows * columns }, (_, i) => [Math.floor(i / columns), i % columns]);
  const patches = offsets.map(([y = 0, x = 0]) =>
    padded
      .gather(lines(y * window.dilations[0], window.strides[0], outHeight), 1)
      .gather(lines(x * window.dilations[1], window.strides[1], outWidth), 2),
  );
  return projectPositionsPlainly({ ...rest, activations: asPositions(tf.concat(patches, 3)) });
}

function errorOf(project: (patches: ProjectedPatches) => tf.Tensor3D, sizes: Sizes): number {
  return tf.tidy(() => {
    const patches = draw(sizes);
    const found = project(patches);
    const expected = fromPatches(patches);
    expect(found.shape).toEqual(expected.shape);
    return relativeError(found.dataSync<'float32'>(), expected.dataSync<'float32'>());
  });
}

const natively = (patches: ProjectedPatches) => projectPatchesNatively(patches, nativeOperations());

describe('the projected gradients of a convolution', () => {
  it.each(EDGES)('are those of a linear map of its patches: %j', (sizes) => {
    expect(errorOf(projectPatches, sizes)).toBeLessThan(ROUNDING);
    expect(errorOf(projectPatchesPlainly, sizes)).toBeLessThan(ROUNDING);
  });

  it('leave no tensor behind', () => {
    const before = tf.memory().numTensors;
    errorOf(projectPatches, PLAIN);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describeNative('the native projection of patches', () => {
  eachInstructionSet('agrees with a linear map of the patches', () => {
    fc.assert(
      fc.property(anySizes, (sizes) => {
        expect(errorOf(natively, sizes)).toBeLessThan(ROUNDING);
      }),
      { numRuns: 60 },
    );
    for (const sizes of EDGES) expect(errorOf(natively, sizes)).toBeLessThan(ROUNDING);
  });

  it('gives the same bits each time', () => {
    tf.tidy(() => {
      const patches = draw(EDGES[3] ?? PLAIN);
      const first = natively(patches).dataSync();
      for (let i = 0; i < 10; i++) expect(natively(patches).dataSync()).toEqual(first);
    });
  });

  const zeros = tf.zeros as (shape: number[]) => tf.Tensor;
  it.each([
    ['right', [44, 16], /right \[44, 16\] and image \[3, 12, 12, 5\] differ in inputs/],
    ['right', [0, 0], /right is missing/],
    ['biasRow', [1, 5], /bias_row \[1, 5\] and right \[45, 16\] differ in columns/],
    ['left', [8, 3], /left \[8, 3\] and output_gradients \[3, 12, 12, 24\] differ in outputs/],
    ['image', [2, 12, 12, 5], /image \[2, 12, 12, 5\] and output_gradients \[3, .* differ in examples/],
    [
      'image',
      [3, 3, 3, 5],
      /output_gradients \[3, 12, 12, 24\] has more positions than image \[3, 3, 3, 5\]/,
    ],
    ['outputGradients', [3, 144, 24], /output_gradients \[3, 144, 24\] is not of rank 4/],
  ] as const)('refuses %s of shape %j', (name, shape, message) => {
    const failing = () => tf.tidy(() => natively({ ...draw(PLAIN), [name]: zeros([...shape]) }));
    expect(failing).toThrow(message);
    expect(failing).toThrow('BergsonProjectPatches');
  });

  it.each([
    [3, 3, 1, 1, 1, 1, 3, 0],
    [3, 3, 0, 1, 1, 1, 1, 1],
    [-3, 3, 1, 1, 1, 1, 1, 1],
    [3, 3, 1, 1, 1, 1],
  ])('refuses the window %#', (...value) => {
    const backend = nativeOperations();
    const { TF_ATTR_INT, TF_ATTR_FLOAT } = backend.binding;
    const attributes = [
      { name: 'window', type: TF_ATTR_INT, value },
      { name: 'multiplier', type: TF_ATTR_FLOAT, value: 1 },
    ];
    expect(() =>
      tf.tidy(() => {
        const { image, right, outputGradients } = draw(PLAIN);
        const nothing = tf.zeros([0, 0]);
        const inputs = [image, right, nothing, outputGradients, nothing];
        return backend.executeSingleOutput('BergsonProjectPatches', attributes, inputs);
      }),
    ).toThrow(/window/);
  });
});
