/** Makes rows of queries: gradients of a run's model, normalized and projected as the run's rows are. */
import * as tf from '@tensorflow/tfjs';
import { batchLoss, type Batch } from '../compiled-model';
import {
  AttentionHeadsError,
  EmptyQueryError,
  ImportedRunError,
  ModelMismatchError,
  NoGradientError,
  UnknownLayerError,
} from '../errors';
import { GradientCollector } from '../gradient-collector';
import { trainableVariables, variables } from '../layers/weight';
import { openNormalizer, type StoredNormalizer } from '../normalizers/stored';
import { digestWeights } from '../run/model-files';
import type { Run } from '../run/run';
import type { LayerRecord } from '../run/run-manifest';
import { runPaths } from '../run/run-paths';
import { scoreExamples } from '../search/exact';
import type { GradientStoreReader } from '../store/reader';
import {
  toVerification,
  verifyPredictions,
  type Verification,
  type VerifyOptions,
} from '../verification/verify';

/** What is kept of a model from one query to the next. */
interface KnownModel {
  readonly collector: GradientCollector;
  /** Its weights, then those it trains: while they are these, the collector is the model's. */
  readonly variables: readonly tf.Variable[];
  /** What the weights held when they were last compared with the run's. tfjs never writes into a tensor's data. */
  readonly values: readonly object[];
}

/**
 * Keeps a collector for each model that it was asked about, with its projection matrices and the digest of its
 * weights, until `close`. A model whose weights were assigned since is compared with the run's again.
 */
export class QueryGradients {
  private readonly known = new Map<tf.LayersModel, KnownModel>();
  private normalizer: StoredNormalizer | null | undefined;

  constructor(
    private readonly run: Run,
    /** Whether to accept a model whose weights are not those at the end of the run. */
    private readonly otherWeights: boolean,
  ) {}

  /**
   * The rows [width] of each example of a batch, or the one row of a loss. A batch's examples have the model's own
   * loss, as `fit` computes it. @throws EmptyQueryError, ModelMismatchError, NoGradientError, UncompiledModelError
   */
  async rows(model: tf.LayersModel, query: Batch | (() => tf.Scalar)): Promise<Float32Array[]> {
    const examples = typeof query === 'function' ? undefined : batchSize(query);
    const collector = this.collectorOf(model);
    const { loss, gradients } = collector.run(
      typeof query === 'function' ? query : () => batchLoss(model, query).mul(batchSize(query)),
    );
    loss.dispose();
    const count = [...gradients.values()][0]?.shape[0];
    if (count === undefined) throw new NoGradientError('no attributed layer ran');
    const rows = split(await collector.rows(gradients, count), count);
    return examples === undefined ? [sum(rows)] : rows;
  }

  /** Unlearns examples, and compares what that does to the query's loss with the scores of their rows in `store`. */
  async verify(
    model: tf.LayersModel,
    query: Batch | (() => tf.Scalar),
    options: VerifyOptions,
    store: GradientStoreReader,
  ): Promise<Verification> {
    const loss = typeof query === 'function' ? query : () => batchLoss(model, query);
    const [row = new Float32Array()] = await this.rows(model, loss);
    const scores = scoreExamples(store, row, options.ids);
    const { layers, includeBias, attention } = this.run.manifest;
    const found = verifyPredictions(model, loss, options, {
      layers: layers.map(({ path }) => path),
      includeBias,
      attention,
      normalizer: this.storedNormalizer(),
    });
    return toVerification(found.map((each, i) => ({ ...each, score: scores[i] ?? NaN })));
  }

  /** Frees what is kept. */
  close(): void {
    for (const { collector } of this.known.values()) collector.dispose();
    this.known.clear();
    this.normalizer?.dispose();
    this.normalizer = undefined;
  }

  private collectorOf(model: tf.LayersModel): GradientCollector {
    const held = [...variables(model), ...trainableVariables(model)];
    let known = this.known.get(model);
    if (known !== undefined && !areSame(known.variables, held)) {
      known.collector.dispose();
      this.known.delete(model);
      known = undefined;
    }
    const values = held.map(({ dataId }) => dataId);
    if (known !== undefined && areSame(known.values, values)) return known.collector;
    const collector = known?.collector ?? this.collect(model);
    try {
      this.checkWeights(model);
    } catch (error) {
      if (known === undefined) collector.dispose();
      throw error;
    }
    this.known.set(model, { collector, variables: held, values });
    return collector;
  }

  /** A collector over `model` as the run's, if the model has the run's layers. */
  private collect(model: tf.LayersModel): GradientCollector {
    const { layers, projection, includeBias, attention, imported } = this.run.manifest;
    if (imported !== undefined && layers.length === 0) throw new ImportedRunError(this.run.path, imported);
    const expected = layers.map(describeLayer);
    const collector = matchLayers(
      expected,
      () =>
        new GradientCollector(model, {
          ...projection,
          includeBias,
          attention,
          layers: layers.map(({ path }) => path),
          normalizer: this.storedNormalizer(),
          lossReduction: 'sum',
        }),
    );
    const found = collector.parts.map(describeLayer);
    if (expected.join() === found.join()) return collector;
    const missing = expected.filter((layer) => !found.includes(layer));
    throw new ModelMismatchError('layers', missing.join(', '), found.join(', '));
  }

  private storedNormalizer(): StoredNormalizer | null {
    this.normalizer ??= ['none', 'identity'].includes(this.run.manifest.normalizer)
      ? null
      : openNormalizer(runPaths.normalizer(this.run.path));
    return this.normalizer;
  }

  private checkWeights(model: tf.LayersModel): void {
    const { weightsDigest } = this.run.manifest;
    if (weightsDigest === null || this.otherWeights) return;
    const digest = digestWeights(model);
    if (digest !== weightsDigest) throw new ModelMismatchError('weights', weightsDigest, digest);
  }
}

/** Runs `collect`; layers that the model does not have mean that it is not the run's. */
function matchLayers(expected: readonly string[], collect: () => GradientCollector): GradientCollector {
  try {
    return collect();
  } catch (cause) {
    if (cause instanceof AttentionHeadsError) {
      throw new ModelMismatchError('layers', expected.join(', '), `others: ${cause.message}`, { cause });
    }
    if (!(cause instanceof UnknownLayerError)) throw cause;
    throw new ModelMismatchError('layers', expected.join(', '), cause.known.join(', '), { cause });
  }
}

function describeLayer({ path, gradientShape }: Pick<LayerRecord, 'path' | 'gradientShape'>): string {
  return `${path} [${gradientShape.join(', ')}]`;
}

function batchSize({ xs }: Batch): number {
  const examples = [xs].flat()[0]?.shape[0] ?? 0;
  if (examples === 0) throw new EmptyQueryError('a batch of no examples');
  return examples;
}

function areSame(left: readonly object[], right: readonly object[]): boolean {
  return left.length === right.length && left.every((object, i) => object === right[i]);
}

function split(values: Float32Array, rows: number): Float32Array[] {
  const width = values.length / rows;
  return Array.from({ length: rows }, (_, i) => values.slice(i * width, (i + 1) * width));
}

/** The sum of rows [width]: the gradient of the sum of their losses. */
function sum(rows: readonly Float32Array[]): Float32Array {
  const total = new Float64Array(rows[0]?.length ?? 0);
  for (const row of rows) row.forEach((value, i) => (total[i] = (total[i] ?? 0) + value));
  return Float32Array.from(total);
}
