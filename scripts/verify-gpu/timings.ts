/** Times of the native operations, of the plain ones, and of the GPU's memory. */
import tf = require('@tensorflow/tfjs');
import type { TensorFlowBackend } from '../../kernels/tensorflow-backend';
import { projectPositionsNatively, projectPositionsPlainly } from '../../kernels/project-factors';
import { projectNormalizedNatively, projectNormalizedPlainly } from '../../kernels/project-normalized';
import { projectPatchesNatively, projectPatchesPlainly } from '../../kernels/project-patches';
import { sumProductsNatively, sumProductsPlainly } from '../../kernels/sum-products';
import { spread } from '../bench/statistics';

export interface Timing {
  readonly operation: string;
  readonly sizes: string;
  /** Of inputs and output, each moved once. */
  readonly bytes: number;
  /** Medians, in milliseconds. */
  readonly native: number;
  readonly plain: number;
}

const REPEATS = 30;
/** Of an operation, one after another, in one time: reading a result back takes longer than many operations do. */
const CALLS = 10;
const BATCH = 8;

/** Bytes read and written in a second by the simplest operation on a large tensor. */
export function bandwidth(): number {
  const large = tf.ones([1 << 26]);
  const milliseconds = median(() => large.add(1));
  large.dispose();
  return (2 * 4 * (1 << 26)) / (milliseconds / 1e3);
}

export function* timings(backend: TensorFlowBackend): Generator<Timing> {
  for (const side of [256, 1024, 4096]) {
    for (const projected of [16, 64]) {
      for (const positions of [1, 128, 1024]) yield timeFactors(backend, side, projected, positions);
    }
  }
  for (const side of [256, 1024]) yield timeNormalized(backend, side, 16, 128);
  for (const channels of [32, 128]) yield timePatches(backend, channels);
  for (const channels of [256, 1024]) yield timeSums(backend, channels);
}

function timeFactors(backend: TensorFlowBackend, side: number, projected: number, positions: number): Timing {
  const factors = drawFactors(side, projected, positions);
  const { activations, outputGradients, right, left } = factors;
  const timing = {
    operation: 'ProjectFactors',
    sizes: `I = O = ${side}, p = ${projected}, S = ${positions}`,
    bytes: bytesOf([activations, outputGradients, right, left], BATCH * projected ** 2),
    native: median(() => projectPositionsNatively(factors, backend)),
    plain: median(() => projectPositionsPlainly(factors)),
  };
  tf.dispose([activations, outputGradients, right, left]);
  return timing;
}

function timeNormalized(
  backend: TensorFlowBackend,
  side: number,
  projected: number,
  positions: number,
): Timing {
  const factors = drawFactors(side, projected, positions);
  const { activations, outputGradients, right, left } = factors;
  const kernel = tf.randomUniform<tf.Rank.R2>([side, side]);
  const moments = { kernel, bias: null, correction: 1, epsilon: 1e-7 };
  const scale = tf.tidy(() => kernel.transpose().sqrt().add(1e-7).reciprocal() as tf.Tensor2D);
  const timing = {
    operation: 'ProjectNormalized',
    sizes: `I = O = ${side}, p = ${projected}, S = ${positions}`,
    bytes: bytesOf([activations, outputGradients, right, left, kernel], BATCH * projected ** 2),
    native: median(() => projectNormalizedNatively(factors, moments, backend)),
    plain: median(() => projectNormalizedPlainly(factors, scale)),
  };
  tf.dispose([activations, outputGradients, right, left, kernel, scale]);
  return timing;
}

function timePatches(backend: TensorFlowBackend, channels: number): Timing {
  const image = tf.randomNormal<tf.Rank.R4>([64, 28, 28, channels]);
  const outputGradients = tf.randomNormal<tf.Rank.R4>([64, 28, 28, channels]);
  const [right, left] = [
    tf.randomNormal<tf.Rank.R2>([9 * channels, 16]),
    tf.randomNormal<tf.Rank.R2>([channels, 16]),
  ];
  const patches = {
    image,
    window: {
      kernelSize: [3, 3] as const,
      strides: [1, 1] as [number, number],
      dilations: [1, 1] as [number, number],
      padding: 'same' as const,
    },
    ...{ outputGradients, right, left, biasRow: null, multiplier: 1 },
  };
  const timing = {
    operation: 'ProjectPatches',
    sizes: `64 × 28 × 28 × ${channels}, 3 × 3, p = 16`,
    bytes: bytesOf([image, outputGradients, right, left], 64 * 16 ** 2),
    native: median(() => projectPatchesNatively(patches, backend)),
    plain: median(() => projectPatchesPlainly(patches)),
  };
  tf.dispose([image, outputGradients, right, left]);
  return timing;
}

function timeSums(backend: TensorFlowBackend, channels: number): Timing {
  const outputGradients = tf.randomNormal([BATCH, 1024, channels]);
  const values = tf.randomNormal([BATCH, 1024, channels]);
  const sums = { outputGradients, values, center: null };
  const timing = {
    operation: 'SumProducts',
    sizes: `${BATCH} × 1024 × ${channels}`,
    bytes: bytesOf([outputGradients, values], BATCH * 2 * channels),
    native: median(() => sumProductsNatively(sums, backend)),
    plain: median(() => sumProductsPlainly(sums)),
  };
  tf.dispose([outputGradients, values]);
  return timing;
}

function drawFactors(side: number, projected: number, positions: number) {
  return {
    activations: tf.randomNormal<tf.Rank.R3>([BATCH, positions, side]),
    outputGradients: tf.randomNormal<tf.Rank.R3>([BATCH, positions, side]),
    right: tf.randomNormal<tf.Rank.R2>([side, projected]),
    left: tf.randomNormal<tf.Rank.R2>([side, projected]),
    biasRow: null,
    multiplier: 1,
  };
}

function bytesOf(inputs: readonly tf.Tensor[], outputs: number): number {
  return 4 * inputs.reduce((sum, { size }) => sum + size, outputs);
}

/** Milliseconds of `run`, which makes a tensor. */
function median(run: () => tf.Tensor): number {
  const once = () => {
    const start = performance.now();
    tf.tidy(() => {
      for (let call = 1; call < CALLS; call++) run().dispose();
      run().flatten().slice(0, 1).dataSync();
    });
    return (performance.now() - start) / CALLS;
  };
  for (let i = 0; i < 3; i++) once();
  return spread(Array.from({ length: REPEATS }, once)).median;
}
