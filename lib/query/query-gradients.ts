/** Makes rows of queries: gradients of a run's model, normalized and projected as the run's rows are. */
import tf = require('@tensorflow/tfjs');
import { batchLoss, type Batch } from '../compiled-model';
import {
  AttentionHeadsError,
  EmptyQueryError,
  ImportedRunError,
  ModelMismatchError,
  NoGradientError,
  UnknownLayerError,
} from '../errors';
import type { Attribute } from '../example-row';
import { GradientCollector } from '../gradient-collector';
import { trainableVariables, variables } from '../layers/weight';
import { openNormalizer, type StoredNormalizer } from '../normalizers/stored';
import { batchRows } from '../run/batch-rows';
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
import { sumOfRows } from './aggregate';

/** What is kept of a model from one query to the next. */
interface KnownModel {
  readonly collector: GradientCollector;
  /** The same of single tokens, made when they are first asked for. */
  byToken?: GradientCollector;
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
    const { collector } = this.knownModel(model);
    const { loss, gradients } = collector.run(
      typeof query === 'function' ? query : () => batchLoss(model, query).mul(batchSize(query)),
    );
    loss.dispose();
    const count = [...gradients.values()][0]?.shape[0];
    if (count === undefined) throw new NoGradientError('no attributed layer ran');
    const rows = split(await collector.rows(gradients, count), count);
    return examples === undefined ? [sumOfRows(rows)] : rows;
  }

  /**
   * The rows [width] of the loss of one example at each of its first `positions`, along the second axis of the layers'
   * inputs; they sum to the loss's own row where these are all.
   * @throws ModelMismatchError, NoGradientError, TokenGradientError
   */
  async tokenRows(model: tf.LayersModel, loss: () => tf.Scalar, positions: number): Promise<Float32Array[]> {
    const known = this.knownModel(model);
    known.byToken ??= this.collect(model, 'tokens');
    const places = { rows: new Int32Array(positions), counts: [positions] };
    const batch = { ids: Int32Array.of(0), loss, dispose: () => undefined };
    return split(await batchRows(known.byToken, batch, places), positions);
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
    for (const known of this.known.values()) dispose(known);
    this.known.clear();
    this.normalizer?.dispose();
    this.normalizer = undefined;
  }

  private knownModel(model: tf.LayersModel): KnownModel {
    const held = [...variables(model), ...trainableVariables(model)];
    let known = this.known.get(model);
    if (known !== undefined && !areSame(known.variables, held)) {
      dispose(known);
      this.known.delete(model);
      known = undefined;
    }
    const values = held.map(({ dataId }) => dataId);
    if (known !== undefined && areSame(known.values, values)) return known;
    const collector = known?.collector ?? this.collect(model, 'examples');
    try {
      this.checkWeights(model);
    } catch (error) {
      if (known === undefined) collector.dispose();
      throw error;
    }
    const found = { ...known, collector, variables: held, values };
    this.known.set(model, found);
    return found;
  }

  /** A collector over `model` as the run's, if the model has the run's layers. */
  private collect(model: tf.LayersModel, attribute: Attribute): GradientCollector {
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
          attribute,
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

function dispose({ collector, byToken }: KnownModel): void {
  collector.dispose();
  byToken?.dispose();
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
