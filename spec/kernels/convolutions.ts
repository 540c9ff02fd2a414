/** Convolutions for specs of kernels: their sizes, random tensors for them, and their patches by other means. */
import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import { asPositions } from '../../kernels/project';
import type { ProjectedFactors } from '../../kernels/project-factors';
import type { ProjectedPatches } from '../../kernels/project-patches';
import { randomNormal } from '../support/random-tensor';

export interface Sizes {
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
export const anySizes: fc.Arbitrary<Sizes> = fc
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
  .map((sizes) => (sizes.dilations.includes(2) ? { ...sizes, strides: [1, 1] as const } : sizes))
  // Errors are relative to the largest element: of few elements all may be sums that nearly cancel.
  .filter(({ n, outputs, p, q }) => n * (p ?? outputs) * q >= 8);

export const PLAIN: Sizes = {
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

/** Lines longer than a block, parts of an example, even kernels, kernels as large as the image, and one number. */
export const EDGES: readonly Sizes[] = [
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
  { ...PLAIN, n: 1, outputs: 1, p: null, q: 1 },
];

export function draw({ n, image, channels, outputs, p, q, bias, ...sizes }: Sizes): ProjectedPatches {
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
  return {
    image: randomNormal<tf.Rank.R4>([n, ...image, channels], 1),
    window: { kernelSize: kernel, strides, dilations, padding },
    right: randomNormal<tf.Rank.R2>([inputs, q], 2),
    biasRow: bias ? randomNormal<tf.Rank.R2>([1, q], 3) : null,
    outputGradients: randomNormal<tf.Rank.R4>([n, outHeight, outWidth, outputs], 4),
    left: p === null ? null : randomNormal<tf.Rank.R2>([outputs, p], 5),
    multiplier: 3,
  };
}

/** The linear map of patches that a convolution is; they are gathered line by line, which shares nothing with it. */
export function asLinearMap({ image, window, ...rest }: ProjectedPatches): ProjectedFactors {
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
  return { ...rest, activations: asPositions(tf.concat(patches, 3)) };
}
