/** Every native operation over many shapes, each beside the plain operations that define it. */
import tf = require('@tensorflow/tfjs');
import { depthwiseGradientsNatively } from '../../kernels/depthwise-gradients';
import type { TensorFlowBackend } from '../../kernels/tensorflow-backend';
import {
  projectPositionsNatively,
  projectPositionsPlainly,
  type ProjectedFactors,
} from '../../kernels/project-factors';
import {
  projectNormalizedNatively,
  projectNormalizedPatchesNatively,
  projectNormalizedPlainly,
  type KernelMoments,
} from '../../kernels/project-normalized';
import {
  gatherPatches,
  projectPatchesNatively,
  projectPatchesPlainly,
  type ConvolutionWindow,
  type ProjectedPatches,
} from '../../kernels/project-patches';
import { randomColumnsNatively } from '../../kernels/random-columns';
import { drawColumns, type RandomMatrixKey } from '../../kernels/random-matrix';
import { sumProductsNatively, sumProductsPlainly, type ScaledChannels } from '../../kernels/sum-products';

export interface Case {
  readonly operation: string;
  readonly sizes: string;
  /** Both make tensors of the same numbers; run inside `tf.tidy`. */
  readonly natively: (backend: TensorFlowBackend) => tf.Tensor;
  readonly plainly: () => tf.Tensor;
}

/** A linear map's sizes; a side of null is not projected. */
interface MapSizes {
  readonly n: number;
  readonly s: number;
  readonly i: number;
  readonly o: number;
  readonly p: number | null;
  readonly q: number | null;
  readonly bias: boolean;
}

interface PatchSizes {
  readonly n: number;
  readonly image: readonly [number, number];
  readonly channels: number;
  readonly window: ConvolutionWindow;
  readonly o: number;
  readonly p: number | null;
  readonly q: number;
  readonly bias: boolean;
}

/** Full tiles and one more or less, sums in several parts, one position, either order of the two products. */
const MAPS: readonly MapSizes[] = [
  { n: 2, s: 32, i: 64, o: 64, p: 16, q: 16, bias: true },
  { n: 1, s: 64, i: 64, o: 128, p: 64, q: 64, bias: true },
  { n: 3, s: 33, i: 65, o: 63, p: 17, q: 15, bias: false },
  { n: 4, s: 1, i: 300, o: 70, p: 16, q: 16, bias: true },
  { n: 1, s: 700, i: 260, o: 20, p: 3, q: 70, bias: true },
  { n: 2, s: 5, i: 16, o: 300, p: 33, q: null, bias: true },
  { n: 3, s: 40, i: 257, o: 12, p: null, q: 8, bias: false },
  { n: 1, s: 3, i: 520, o: 300, p: 2, q: 65, bias: false },
  { n: 5, s: 2, i: 9, o: 8, p: null, q: null, bias: true },
];

const SQUARE: ConvolutionWindow = { kernelSize: [3, 3], strides: [1, 1], dilations: [1, 1], padding: 'same' };
const IMAGES: readonly PatchSizes[] = [
  { n: 2, image: [9, 12], channels: 5, window: SQUARE, o: 24, p: 16, q: 16, bias: true },
  { n: 3, image: [8, 8], channels: 32, window: SQUARE, o: 70, p: null, q: 33, bias: false },
  {
    n: 1,
    image: [11, 30],
    channels: 3,
    window: { ...SQUARE, kernelSize: [4, 2], strides: [2, 3] },
    o: 64,
    p: 5,
    q: 9,
    bias: true,
  },
  {
    n: 2,
    image: [13, 10],
    channels: 2,
    window: { ...SQUARE, kernelSize: [3, 2], dilations: [2, 4] },
    o: 7,
    p: 4,
    q: 8,
    bias: true,
  },
  {
    n: 1,
    image: [7, 6],
    channels: 40,
    window: { ...SQUARE, kernelSize: [5, 3], padding: 'valid' },
    o: 65,
    p: 16,
    q: 64,
    bias: false,
  },
  {
    n: 2,
    image: [20, 21],
    channels: 2,
    window: { ...SQUARE, kernelSize: [1, 2] },
    ...{ o: 5, p: 3, q: 4, bias: true },
  },
];

/** Words on both sides of what an int32 holds; rows that fill a word or a block, and do not. */
const MATRICES: readonly (readonly [key: RandomMatrixKey, rows: number])[] = [
  [{ type: 'rademacher', seed: 7, stream: [0x80000001, 5], side: 1 }, 70],
  [{ type: 'rademacher', seed: 0xffffffff, stream: [3, 0x90000000], side: 0 }, 32],
  [{ type: 'normal', seed: 0x80000000, stream: [1, 0xfffffffe], side: 1 }, 16],
  [{ type: 'normal', seed: 9, stream: [0, 2], side: 0 }, 35],
];
const IDS = [0, 1, 2, 3, 6, 123_456, 2_147_483_647];

type ChannelSizes = readonly [shape: number[], centered: boolean];
const CHANNELS: readonly ChannelSizes[] = [
  [[2, 8, 32], true],
  [[3, 300, 17], true],
  [[1, 30, 20, 65], false],
  [[5, 1], true],
];

/** Of each operation, besides those above. */
export const RANDOM_CASES = 8;

/** All of them; with `random` more of random sizes for each operation. */
export function allCases(random: number): Case[] {
  const pick = numbersFrom(1);
  const side = (most: number) => (pick(4) === 1 ? null : pick(most));
  const map = (): MapSizes => ({
    ...{ n: pick(4), s: pick(70), i: pick(150), o: pick(90) },
    ...{ p: side(40), q: side(70), bias: pick(2) === 1 },
  });
  const image = (): PatchSizes => {
    const dilated = pick(2) === 1;
    const pair = (most: number): [number, number] => [pick(most), pick(most)];
    const window: ConvolutionWindow = {
      kernelSize: pair(4),
      strides: dilated ? [1, 1] : pair(3),
      dilations: dilated ? pair(2) : [1, 1],
      padding: pick(2) === 1 ? 'same' : 'valid',
    };
    return {
      ...{ n: pick(3), image: [6 + pick(9), 6 + pick(9)], channels: pick(12), window, o: pick(70) },
      ...{ p: side(20), q: pick(40), bias: pick(2) === 1 },
    };
  };
  const channels = (): ChannelSizes => [[pick(3), pick(90), pick(80)], pick(2) === 1];
  const more = <T>(draw: () => T) => Array.from({ length: random }, draw);
  return [
    ...[...MAPS, ...more(map)].flatMap((sizes) => [factorsCase(sizes), normalizedCase(sizes)]),
    ...[...IMAGES, ...more(image)].flatMap((sizes) => [
      patchesCase(sizes),
      normalizedPatchesCase(sizes),
      depthwiseCase(sizes),
    ]),
    ...[...CHANNELS, ...more(channels)].map(channelsCase),
    ...MATRICES.map(([key, rows]) => columnsCase(key, rows)),
  ];
}

/** The largest difference relative to the largest element expected; infinite where shapes or NaNs differ. */
export function errorOf(one: Case, backend: TensorFlowBackend): number {
  return tf.tidy(() => {
    const found = one.natively(backend);
    const expected = one.plainly();
    if (found.shape.join() !== expected.shape.join()) return Infinity;
    const difference = found.sub(expected).abs().max().dataSync()[0] ?? NaN;
    const largest = expected.abs().max().dataSync()[0] ?? NaN;
    const error = difference === 0 ? 0 : difference / largest;
    return Number.isNaN(error) ? Infinity : error;
  });
}

function factorsCase(sizes: MapSizes): Case {
  return {
    operation: 'BergsonProjectFactors',
    sizes: JSON.stringify(sizes),
    natively: (backend) => projectPositionsNatively(drawMap(sizes), backend),
    plainly: () => projectPositionsPlainly(drawMap(sizes)),
  };
}

function normalizedCase(sizes: MapSizes): Case {
  const moments = () => drawMoments(sizes.i, sizes.o, sizes.bias);
  return {
    operation: 'BergsonProjectNormalized',
    sizes: JSON.stringify(sizes),
    natively: (backend) => projectNormalizedNatively(drawMap(sizes), moments(), backend),
    plainly: () => normalizePlainly(drawMap(sizes), moments()),
  };
}

function patchesCase(sizes: PatchSizes): Case {
  return {
    operation: 'BergsonProjectPatches',
    sizes: JSON.stringify(sizes),
    natively: (backend) => projectPatchesNatively(drawPatches(sizes), backend),
    plainly: () => projectPatchesPlainly(drawPatches(sizes)),
  };
}

function normalizedPatchesCase(sizes: PatchSizes): Case {
  const [height, width] = sizes.window.kernelSize;
  const moments = () => drawMoments(height * width * sizes.channels, sizes.o, sizes.bias);
  return {
    operation: 'BergsonProjectNormalizedPatches',
    sizes: JSON.stringify(sizes),
    natively: (backend) => projectNormalizedPatchesNatively(drawPatches(sizes), moments(), backend),
    plainly: () => {
      const patches = drawPatches(sizes);
      return normalizePlainly(
        { ...patches, activations: gatherPatches(patches.image, patches.window) },
        moments(),
      );
    },
  };
}

function channelsCase([shape, centered]: ChannelSizes): Case {
  const draw = (): ScaledChannels => ({
    outputGradients: normal(shape, 1),
    values: normal(shape, 2),
    center: centered ? normal([shape.at(-1) ?? 0], 3) : null,
  });
  return {
    operation: 'BergsonSumProducts',
    sizes: JSON.stringify({ shape, centered }),
    natively: (backend) => sumProductsNatively(draw(), backend),
    plainly: () => sumProductsPlainly(draw()),
  };
}

function depthwiseCase(sizes: PatchSizes): Case {
  const draw = () => drawPatches({ ...sizes, o: sizes.channels * (1 + (sizes.o % 3)) });
  return {
    operation: 'BergsonDepthwise',
    sizes: JSON.stringify(sizes),
    natively: (backend) => depthwiseGradientsNatively(draw(), backend),
    plainly: () => {
      const { image, window, outputGradients } = draw();
      const [n, channels] = [image.shape[0], image.shape[3]];
      const patches = gatherPatches(image, window); // [N, S, kh kw C]
      const positions = patches.shape[1];
      const gradients = outputGradients.reshape([n, positions, 1, channels, -1]);
      const products = patches.reshape([n, positions, -1, channels, 1]).mul(gradients).sum(1); // [N, kh kw, C, m]
      return products.transpose([0, 2, 3, 1]).reshape([n, outputGradients.shape[3], -1]);
    },
  };
}

function columnsCase(key: RandomMatrixKey, rows: number): Case {
  return {
    operation: 'BergsonDrawColumns',
    sizes: JSON.stringify({ ...key, rows }),
    natively: (backend) => randomColumnsNatively(key, rows, tf.tensor1d(IDS, 'int32'), backend),
    plainly: () => tf.tensor2d(drawColumns(key, rows, IDS), [IDS.length, rows]),
  };
}

function normalizePlainly(factors: ProjectedFactors, { kernel, bias, correction, epsilon }: KernelMoments) {
  const rows = bias === null ? kernel : tf.concat([kernel, bias.expandDims(0)], 0);
  const scale = rows.transpose().mul(correction).sqrt().add(epsilon).reciprocal() as tf.Tensor2D;
  // The identity has to be spelled out where the bias is one more column of the gradient.
  const inputs = factors.activations.shape.at(-1) ?? 0;
  const right = factors.right ?? (bias === null ? null : tf.eye(inputs));
  return projectNormalizedPlainly({ ...factors, right }, scale);
}

function drawMap({ n, s, i, o, p, q, bias }: MapSizes): ProjectedFactors {
  return {
    activations: normal<tf.Rank.R3>([n, s, i], 1),
    right: q === null ? null : normal<tf.Rank.R2>([i, q], 2),
    biasRow: bias ? normal<tf.Rank.R2>([1, q ?? i], 3) : null,
    outputGradients: normal<tf.Rank.R3>([n, s, o], 4),
    left: p === null ? null : normal<tf.Rank.R2>([o, p], 5),
    multiplier: 3,
  };
}

function drawPatches({ n, image, channels, window, o, p, q, bias }: PatchSizes): ProjectedPatches {
  const { kernelSize, strides, dilations, padding } = window;
  const { outHeight, outWidth } = tf.backend_util.computeConv2DInfo(
    [n, ...image, channels],
    [...kernelSize, channels, 1],
    strides,
    dilations,
    padding,
  );
  return {
    image: normal<tf.Rank.R4>([n, ...image, channels], 1),
    window,
    right: normal<tf.Rank.R2>([kernelSize[0] * kernelSize[1] * channels, q], 2),
    biasRow: bias ? normal<tf.Rank.R2>([1, q], 3) : null,
    outputGradients: normal<tf.Rank.R4>([n, outHeight, outWidth, o], 4),
    left: p === null ? null : normal<tf.Rank.R2>([o, p], 5),
    multiplier: 3,
  };
}

/** Moments over five orders of magnitude. */
function drawMoments(inputs: number, outputs: number, bias: boolean): KernelMoments {
  const moments = (shape: number[], seed: number) => tf.randomUniform(shape, -4, 1, 'float32', seed).exp();
  return {
    kernel: moments([inputs, outputs], 6),
    bias: bias ? moments([outputs], 7) : null,
    correction: 1.7,
    epsilon: 0.03,
  };
}

function normal<R extends tf.Rank>(shape: tf.ShapeMap[R], seed: number): tf.Tensor<R> {
  return tf.randomNormal<R>(shape, 0, 1, 'float32', seed);
}

/** Whole numbers from 1 to what is asked for. */
function numbersFrom(seed: number): (most: number) => number {
  let state = seed;
  return (most) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 1 + Math.floor((state / 2 ** 32) * most);
  };
}
