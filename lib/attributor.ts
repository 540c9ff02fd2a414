/** Answers which training examples made a model do what it did, from a run. */
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { batchLoss, type Batch } from './compiled-model';
import { AttentionHeadsError, ModelMismatchError, NoGradientError, UnknownLayerError } from './errors';
import { GradientCollector, type GradientCollectorOptions } from './gradient-collector';
import { StoredNormalizer } from './normalizers/normalizer';
import type { ExampleRecord } from './run/example-records';
import type { LayerRecord } from './run/run-manifest';
import { digestWeights } from './run/model-files';
import { Run } from './run/run';
import { runPaths } from './run/run-paths';
import type { Neighbor, SearchOptions } from './search/gradient-index';
import { openIndex, type OpenedIndex, type OpenIndexOptions } from './search/open-index';
import type { Sighting } from './store/training-order';

export interface AttributorOptions extends Pick<OpenIndexOptions, 'engine'> {
  /** Which of the run's stores to search. Default: the accumulated one, or else the last epoch's. */
  readonly store?: string;
  /** Whether to accept a model whose weights are not those at the end of the run. Default: false. */
  readonly otherWeights?: boolean;
}

export type TraceOptions = Partial<SearchOptions>;

/** A training example as an answer. */
export interface TracedExample extends Neighbor {
  /** When training saw it, in order; empty unless the run tracked the order. */
  readonly seen: readonly Sighting[];
  /** What the run was told of it. */
  readonly record: ExampleRecord | undefined;
}

/** Both ends of the ranking for one query. A positive score means: training on the example lowered the query's loss. */
export interface Trace {
  readonly highest: readonly TracedExample[];
  readonly lowest: readonly TracedExample[];
}

/**
 * @example
 * const attributor = await Attributor.open('runs/digits');
 * const [trace] = await attributor.trace(model, { xs: digit, ys: label }, { k: 5 });
 * await attributor.close();
 */
export class Attributor {
  private constructor(
    readonly run: Run,
    /** The name of the store that is searched. */
    readonly store: string,
    private readonly opened: OpenedIndex,
    private readonly otherWeights: boolean,
  ) {}

  /** @throws RunNotFoundError, UnknownStoreError, CorruptStoreError and other errors of damaged files */
  static async open(directory: string, options: AttributorOptions = {}): Promise<Attributor> {
    const run = Run.open(directory);
    const store = run.storeDirectory(options.store);
    const opened = await openIndex(store, { engine: options.engine });
    return new Attributor(run, path.basename(store), opened, options.otherWeights ?? false);
  }

  /** Which engine answers. */
  get engine(): 'exact' | 'hnsw' {
    return this.opened.engine;
  }

  /** Why that engine does, in words to print. */
  get engineReason(): string {
    return this.opened.reason;
  }

  /**
   * The training examples with the highest and lowest influence on each example of a batch, under the model's own
   * compiled loss, or on any scalar loss the caller computes from the model's output: a trace per example, or one.
   * @throws ModelMismatchError, NoGradientError, KTooLargeError
   */
  async trace(
    model: tf.LayersModel,
    query: Batch | (() => tf.Scalar),
    options: TraceOptions = {},
  ): Promise<Trace[]> {
    return this.search(await this.queryRows(model, query), options);
  }

  /** The training examples nearest to and farthest from rows of the run's own layout, each [width]. @throws KTooLargeError, RowShapeError */
  async search(rows: readonly Float32Array[], options: TraceOptions = {}): Promise<Trace[]> {
    const found = await this.opened.index.search(rows, { k: 10, ...options });
    const ids = new Set(
      found.flatMap(({ highest, lowest }) => [...highest, ...lowest].map(({ example }) => example)),
    );
    const sightings = this.run.trainingOrder()?.sightings(ids);
    const records = await this.run.exampleRecords(ids);
    const describe = (neighbor: Neighbor): TracedExample => ({
      ...neighbor,
      seen: sightings?.get(neighbor.example) ?? [],
      record: records.get(neighbor.example),
    });
    return found.map(({ highest, lowest }) => ({
      highest: highest.map(describe),
      lowest: lowest.map(describe),
    }));
  }

  /** A training example's own row [width], to search with. @throws RowNotWrittenError, ExampleRangeError */
  row(example: number): Float32Array {
    return this.opened.store.row(example);
  }

  /**
   * The gradients of queries, normalised and projected as the run's rows are, to search with or to compare with
   * rows of its stores: [width] for each example of a batch, or one for a loss.
   * @throws ModelMismatchError, NoGradientError
   */
  async queryRows(model: tf.LayersModel, query: Batch | (() => tf.Scalar)): Promise<Float32Array[]> {
    const normalizer = this.storedNormalizer();
    const each = typeof query !== 'function';
    // A batch's loss is the mean over its examples; any other loss is what it is.
    const collector = this.collectorFor(model, { normalizer, lossReduction: each ? 'mean' : 'sum' });
    try {
      const { loss, gradients } = collector.run(each ? () => batchLoss(model, query) : query);
      loss.dispose();
      const batchSize = [...gradients.values()][0]?.shape[0];
      if (batchSize === undefined) throw new NoGradientError('no attributed layer ran');
      const rows = split(await collector.rows(gradients, batchSize), batchSize);
      return each ? rows : [rows.reduce((sum, row) => sum.map((value, i) => value + (row[i] ?? NaN)))];
    } finally {
      collector.dispose();
      normalizer?.close();
    }
  }

  close(): Promise<void> {
    return this.opened.close();
  }

  private storedNormalizer(): StoredNormalizer | null {
    if (this.run.manifest.normalizer === 'none') return null;
    return StoredNormalizer.open(runPaths.normalizer(this.run.path));
  }

  /** A collector over `model` as the run's, if the model is the run's. */
  private collectorFor(
    model: tf.LayersModel,
    query: Pick<GradientCollectorOptions, 'normalizer' | 'lossReduction'>,
  ): GradientCollector {
    const { layers, projection, includeBias, attention } = this.run.manifest;
    const expected = layers.map(describeLayer);
    const paths = layers.map(({ path }) => path);
    const options = { ...projection, ...query, includeBias, attention, layers: paths };
    const collector = matchLayers(expected, () => new GradientCollector(model, options));
    const found = collector.parts.map(describeLayer);
    if (expected.join() !== found.join()) {
      const missing = expected.filter((layer) => !found.includes(layer));
      throw new ModelMismatchError('layers', missing.join(', '), found.join(', '));
    }
    this.checkWeights(model);
    return collector;
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

function split(values: Float32Array, rows: number): Float32Array[] {
  const width = values.length / rows;
  return Array.from({ length: rows }, (_, i) => values.slice(i * width, (i + 1) * width));
}
