/** Second moments of a frozen model's gradients, from data: what an optimizer would have kept of them. */
import tf = require('@tensorflow/tfjs');
import type { AttributedPart } from '../capture/attributed-layers';
import type { FactorsListener } from '../capture/backward-pass';
import { NormalizerFitError } from '../errors';
import { GradientCollector, type GradientCollectorOptions } from '../gradient-collector';
import type { LossBatch } from '../run/loss-batch';
import type { SafetensorsTensor } from '../store/safetensors';
import { AdafactorNormalizer, factorNames } from './adafactor';
import { FixedNormalizer } from './fixed';
import { momentsInMemory } from './moment-source';
import { squaredGradients, squaredSums } from './squared-gradients';

/** `adam`: V of every weight. `adafactor`: its means over rows and over columns, for which no gradient is formed. */
export type FittedKind = 'adafactor' | 'adam';

/** Which layers' moments, and how a batch's loss combines its examples' own (default: their sum). */
export type FitNormalizerOptions = Pick<
  GradientCollectorOptions,
  'layers' | 'includeBias' | 'attention' | 'lossReduction'
>;

/** ε of tfjs's and PyTorch's Adam in float32; 1e-8 lets it count only where V is next to nothing. */
const ADAM_EPSILON = 1e-8;

/**
 * A normalizer of the mean, over all examples of `batches`, of their squared per-example gradients; sums are kept in
 * double precision. Batches are disposed as they are done with. The caller disposes the normalizer.
 *
 * @throws NormalizerFitError where there is no example, or a gradient is not finite; what `GradientCollector` throws
 *
 * @example
 * const normalizer = await fitNormalizer(model, batches, 'adafactor');
 * const collector = new GradientCollector(model, { normalizer, lossReduction: 'sum' });
 */
export async function fitNormalizer(
  model: tf.LayersModel,
  batches: AsyncIterable<LossBatch>,
  kind: 'adafactor',
  options?: FitNormalizerOptions,
): Promise<AdafactorNormalizer>;
export async function fitNormalizer(
  model: tf.LayersModel,
  batches: AsyncIterable<LossBatch>,
  kind: FittedKind,
  options?: FitNormalizerOptions,
): Promise<AdafactorNormalizer | FixedNormalizer>;
export async function fitNormalizer(
  model: tf.LayersModel,
  batches: AsyncIterable<LossBatch>,
  kind: FittedKind,
  options: FitNormalizerOptions = {},
): Promise<AdafactorNormalizer | FixedNormalizer> {
  const collector = new GradientCollector(model, {
    lossReduction: 'sum',
    ...options,
    projectionDim: 'exact',
    projectionTarget: 'module',
  });
  const sums = momentSums(collector.parts, kind);
  let examples = 0;
  for await (const batch of batches) {
    try {
      await addBatch(sums, collector, batch, kind);
    } finally {
      batch.dispose();
    }
    examples += batch.ids.length;
  }
  if (examples === 0) throw new NormalizerFitError('the data holds no example');
  const source = momentsInMemory(new Map([...sums].map(([name, sum]) => [name, sum.meanOver(examples)])));
  return kind === 'adafactor'
    ? new AdafactorNormalizer(source)
    : new FixedNormalizer('adam', ADAM_EPSILON, source);
}

/** A sum over examples of numbers in a tensor of this shape. */
class MomentSum {
  private readonly sum: Float64Array;

  /** What is summed is to be divided by `divisor` besides, as means are. */
  constructor(
    private readonly shape: readonly number[],
    private readonly divisor: number,
  ) {
    this.sum = new Float64Array(shape.reduce((product, size) => product * size, 1));
  }

  add(values: Float32Array): void {
    for (let i = 0; i < values.length; i++) this.sum[i] = (this.sum[i] ?? NaN) + (values[i] ?? NaN);
  }

  meanOver(examples: number): SafetensorsTensor {
    const data = Float32Array.from(this.sum, (sum) => sum / this.divisor / examples);
    return { dtype: 'F32', shape: [...this.shape], data };
  }
}

/** By the names under which a normalizer looks for them. */
function momentSums(parts: readonly AttributedPart[], kind: FittedKind): Map<string, MomentSum> {
  const sums = new Map<string, MomentSum>();
  for (const { path, gradientShape } of parts) {
    const [outputs, inputs] = gradientShape;
    const names = factorNames(path);
    if (kind === 'adam') {
      sums.set(path, new MomentSum(gradientShape, 1));
    } else {
      sums.set(names.rows, new MomentSum([outputs], inputs));
      sums.set(names.columns, new MomentSum([inputs], outputs));
    }
  }
  return sums;
}

async function addBatch(
  sums: ReadonlyMap<string, MomentSum>,
  collector: GradientCollector,
  batch: LossBatch,
  kind: FittedKind,
): Promise<void> {
  const found: { part: AttributedPart; name: string; values: tf.Tensor }[] = [];
  const listen: FactorsListener = (part, factors, multiplier) => {
    const put = (name: string, values: tf.Tensor) => {
      found.push({ part, name, values: tf.keep(values.mul(multiplier ** 2)) });
    };
    tf.tidy(() => {
      if (kind === 'adam') {
        put(part.path, squaredGradients(factors, part.gradientShape));
        return;
      }
      const names = factorNames(part.path);
      const { rows, columns } = squaredSums(factors, part.gradientShape);
      put(names.rows, rows);
      put(names.columns, columns);
    });
  };
  try {
    collector.runFactors(batch.loss, listen).dispose();
    for (const { part, name, values } of found) {
      const numbers = await values.data<'float32'>();
      const bad = numbers.find((value) => !Number.isFinite(value));
      if (bad !== undefined) throw new NormalizerFitError(describeBad(part, batch, bad));
      sums.get(name)?.add(numbers);
    }
  } finally {
    tf.dispose(found.map(({ values }) => values));
  }
}

function describeBad({ path }: AttributedPart, { ids }: LossBatch, value: number): string {
  return `the squared gradients of layer \`${path}\` over examples ${[...ids].join(', ')} add up to ${value}; look at those examples' inputs`;
}
