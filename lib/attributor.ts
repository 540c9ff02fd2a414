/** Answers which training examples made a model do what it did, from one run or several. */
import type * as tf from '@tensorflow/tfjs';
import type { Batch } from './compiled-model';
import { EmptyQueryError, GlobalRowsError, InvalidOptionError, LayoutMismatchError } from './errors';
import { attributed, meanRow, nearest, sumOfRows, type Aggregate } from './query/aggregate';
import type { OnDamage } from './query/damage';
import { epochScores } from './query/epoch-scores';
import { layerScores, normOver } from './query/layer-scores';
import { nameStores, type NamedStore } from './query/name-stores';
import type { QueryGradients } from './query/query-gradients';
import { describeNeighbors, type Source, type Trace } from './query/trace';
import { QueryPreconditioning } from './preconditioners/query-preconditioning';
import type { Run } from './run/run';
import type { ScoreOptions, ScoreSummary } from './scores/score-store';
import { columnRanges, layerNumbers } from './search/exact';
import { checkQueries, type EngineName, type SearchOptions } from './search/gradient-index';
import type { OpenedIndex, OpenIndexOptions } from './search/open-index';
import { SeveralStores } from './search/several-stores';
import { columnOffsets, describeColumns, type Column } from './store/format';
import { GradientStoreReader } from './store/reader';
import type { Verification, VerifyOptions } from './verification/verify';

export interface AttributorOptions extends Pick<OpenIndexOptions, 'engine' | 'recall'> {
  /**
   * Which of each run's stores to search: names, or `'all'`. Default: the accumulated one, or else the last epoch's.
   */
  readonly store?: string | readonly string[];
  /**
   * Whether to accept a model whose weights are not those at the end of the run, and runs whose models' weights, or the
   * second moments their gradients were divided by, are not the same. Default: false.
   */
  readonly otherWeights?: boolean;
  /**
   * Whether to score by q H⁻¹ g instead of q g, H being what `bergson precondition` fitted to the store: queries are
   * multiplied by H⁻¹. A store of preconditioned rows is scored so without asking. Default: false.
   */
  readonly precondition?: boolean;
  /**
   * Told of damage to the training order or the examples' records, which answers then leave out. Default: it is thrown.
   */
  readonly onDamage?: OnDamage;
}

export interface TraceOptions extends Partial<SearchOptions> {
  /** Whether to tell of the lowest scores, too. Default: true. */
  readonly lowest?: boolean;
  /** How several queries are answered as one. Default: each has an answer of its own. */
  readonly aggregate?: Aggregate;
  /** Whether to tell of each hit what it scores in every epoch's store. Default: false. */
  readonly epochs?: boolean;
}

/** A store that is searched. */
export interface SearchedStore extends NamedStore {
  readonly engine: EngineName;
  /** Why that engine answers, in words to print. */
  readonly reason: string;
}

export interface ExplainOptions extends Pick<SearchOptions, 'layers' | 'unitNorm'> {
  /** Position of a store among those that are searched. */
  readonly store?: number;
}

/** What one layer adds to a score. */
export interface LayerScore {
  readonly layer: string;
  readonly score: number;
}

const ONE_CURVATURE =
  'false, and no store of preconditioned rows be asked for, where several stores are searched: each has a curvature of its own';

/**
 * @example
 * const attributor = await Attributor.open('runs/digits');
 * const [trace] = await attributor.trace(model, { xs: digit, ys: label }, { k: 5 });
 * await attributor.close();
 */
export class Attributor {
  private gradients: QueryGradients | undefined;

  private constructor(
    private readonly sources: readonly Source[],
    private readonly opened: SeveralStores,
    private readonly otherWeights: boolean,
    private readonly preconditioning: QueryPreconditioning,
    private readonly onDamage: AttributorOptions['onDamage'],
  ) {}

  /**
   * Opens a run, or several whose rows were made alike, to be searched as one; rows of queries are made by the first one's
   * model.
   * @throws RunNotFoundError, UnknownStoreError, IncomparableRunsError, PreconditionerNotFoundError,
   *   AlreadyPreconditionedError, InvalidOptionError for several stores that cannot be ranked together; CorruptStoreError and
   *   other errors of damaged files
   */
  static async open(runs: string | readonly string[], options: AttributorOptions = {}): Promise<Attributor> {
    const { otherWeights = false, onDamage, engine, recall, precondition = false } = options;
    const named = nameStores([runs].flat(), options.store, otherWeights);
    const directories = named.map(({ run, name }) => run.storeDirectory(name));
    const opened = await SeveralStores.open(directories, { engine, recall });
    try {
      const sources = opened.stores.map(({ store: { tokens } }, i) => ({
        ...(named[i] as NamedStore),
        tokens,
      }));
      const [{ store }] = opened.stores as [OpenedIndex];
      const preconditioning = QueryPreconditioning.open(store, precondition);
      if (sources.length > 1 && preconditioning.applied !== 'none')
        throw new InvalidOptionError('precondition', true, ONE_CURVATURE);
      return new Attributor(sources, opened, otherWeights, preconditioning, onDamage);
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  /** The run that is searched, or the first of several. */
  get run(): Run {
    return this.primary.run;
  }

  /** The name of the store that is searched, or of the last one of the first run. */
  get store(): string {
    return this.primary.name;
  }

  /** What is searched, and by which engine, runs in the order in which they were given. */
  get stores(): readonly SearchedStore[] {
    return this.sources.map(({ run, name }, i) => {
      const { engine, reason } = this.opened.stores[i] as OpenedIndex;
      return { run, name, engine, reason };
    });
  }

  /** What is preconditioned: the store's rows, or queries as they are searched with. */
  get preconditioned(): 'none' | 'rows' | 'queries' {
    return this.preconditioning.applied;
  }

  /** The layers, or parts of them, that have columns of their own, and how many, in the order of a row. */
  get columns(): readonly Column[] {
    return this.primary.store.columns;
  }

  /** How many examples can be found: those whose row was written, of all stores. */
  get rows(): number {
    return this.opened.rows;
  }

  /**
   * The training examples with the highest and lowest influence on each example of a batch, under the model's own
   * compiled loss, or on any scalar loss the caller computes from the model's output: a trace per example, or one for
   * a loss or under `aggregate`. What the first query has to prepare is kept for the next until `close`.
   * @throws EmptyQueryError, ModelMismatchError, NoGradientError, KTooLargeError, UnknownColumnError
   */
  async trace(
    model: tf.LayersModel,
    query: Batch | (() => tf.Scalar),
    options: TraceOptions = {},
  ): Promise<Trace[]> {
    return this.search(await this.queryRows(model, query), options);
  }

  /**
   * The training examples nearest to and farthest from rows of the run's own layout, each [width]: a trace per row, or
   * one under `aggregate`. @throws EmptyQueryError, KTooLargeError, RowShapeError, UnknownColumnError
   */
  async search(rows: readonly Float32Array[], options: TraceOptions = {}): Promise<Trace[]> {
    if (rows.length === 0) throw new EmptyQueryError('none');
    const { aggregate, lowest = true, epochs = false, ...given } = options;
    const search = { k: 10, ...given };
    const asking = aggregate === 'mean' ? [meanRow(rows)] : rows;
    const searched = this.preconditioning.toQueries(asking, { ...search, epochs });
    const found = await this.opened.search(searched, search);
    const asked =
      aggregate === 'nearest'
        ? [nearest(found, search.k)]
        : found.map((neighbors, query) => attributed(neighbors, aggregate === undefined ? query : null));
    return describeNeighbors(
      this.sources,
      lowest ? asked : asked.map(({ highest }) => ({ highest, lowest: [] })),
      {
        onDamage: this.onDamage,
        epochScores: epochs
          ? (run, query, examples) => epochScores(run, searched[query ?? 0] as Float32Array, examples, search)
          : undefined,
      },
    );
  }

  /**
   * A training example's own row [width], to search with; of several stores, in the last one of the first run. Where each
   * token has a row, the sum of its tokens'. @throws RowNotWrittenError, ExampleRangeError
   */
  row(example: number): Float32Array {
    return sumOfRows(this.primary.store.rowsOf(example));
  }

  /** The same in the store at that position among `stores`. @throws RowNotWrittenError, ExampleRangeError */
  exampleRow(example: number, store: number): Float32Array {
    return sumOfRows(this.storeAt(store).store.rowsOf(example));
  }

  /** The rows [width] of an example's tokens in the store at that position; undefined where tokens have none. */
  tokenRows(example: number, store: number): Float32Array[] | undefined {
    const { store: reader } = this.storeAt(store);
    return reader.tokens === undefined ? undefined : reader.rowsOf(example);
  }

  /**
   * Positions among `stores` of those that hold the row of `example`.
   * @throws ExampleRangeError, RowNotWrittenError of the last one if none does
   */
  storesWith(example: number): number[] {
    const { stores } = this.opened;
    const holding = stores.flatMap(({ store }, i) => (store.holds(example) ? [i] : []));
    if (holding.length === 0) stores.at(-1)?.store.rowsOf(example);
    return holding;
  }

  /**
   * Writes the scores of every row of the store, or of other data, for every query (`rows`, each [width]) or for all of
   * them as one: exactly, a block at a time, and after a kill from where it was.
   * @throws EmptyQueryError, RowShapeError, UnknownColumnError, OutputExistsError, ScoresMismatchError,
   *   NonFiniteValueError, DiskWriteError
   */
  async score(rows: readonly Float32Array[], options: ScoreOptions): Promise<ScoreSummary> {
    if (rows.length === 0) throw new EmptyQueryError('none');
    const { store } = this.alone();
    checkQueries(rows, store.width);
    const asking = options.aggregate === 'mean' ? [meanRow(rows)] : rows;
    const queries = this.preconditioning.toQueries(asking, options);
    const { scoreStore } = require('./scores/score-store') as typeof import('./scores/score-store');
    return scoreStore(store, queries, columnRanges(store, options.layers), options);
  }

  /**
   * What each layer, or part of one such as an attention head, adds to the score of `example` for the query `row`
   * [width] under these options: they sum to it. Of several stores, its score in that of this position among `stores`, or
   * in the last one of the first run. Where each token has a row, an example's score is the sum of its tokens'.
   * @throws RowNotWrittenError, ExampleRangeError, UnknownColumnError; GlobalRowsError for rows of one projection over all
   *   layers
   */
  explain(row: Float32Array, example: number, options: ExplainOptions = {}): LayerScore[] {
    const { store } = options.store === undefined ? this.primary : this.storeAt(options.store);
    const rows = store.rowsOf(example);
    const query = this.explainedQuery(row, options);
    const scores = rows.map((found) => this.scoresByLayer(query, [found], options)[0] ?? []);
    const [first = []] = scores;
    return first.map(({ layer }, i) => ({
      layer,
      score: scores.reduce((sum, of) => sum + (of[i]?.score ?? 0), 0),
    }));
  }

  /**
   * The same of a row that is the sum of `parts`, each [width], such as those of an example's tokens: what each layer of each
   * of them adds to the score of that row. @throws UnknownColumnError, GlobalRowsError
   */
  explainRow(
    row: Float32Array,
    parts: readonly Float32Array[],
    options: Pick<SearchOptions, 'layers' | 'unitNorm'> = {},
  ): LayerScore[][] {
    return this.scoresByLayer(this.explainedQuery(row, options), parts, options);
  }

  /**
   * The gradients of queries, normalized, projected and preconditioned as the store's rows are, to search with or to
   * compare with rows of it: [width] for each example of a batch, or one for a loss.
   * @throws EmptyQueryError, ModelMismatchError, NoGradientError
   */
  async queryRows(model: tf.LayersModel, query: Batch | (() => tf.Scalar)): Promise<Float32Array[]> {
    this.gradients ??= this.makeGradients();
    return this.preconditioning.toStoreRows(await this.gradients.rows(model, query));
  }

  /**
   * What the row of one text's loss is made of, made as that of `queryRows` is: the gradient at each of its first
   * `positions`, of which the last token has none. @throws ModelMismatchError, NoGradientError, TokenGradientError
   */
  async queryTokenRows(
    model: tf.LayersModel,
    loss: () => tf.Scalar,
    positions: number,
  ): Promise<Float32Array[]> {
    this.gradients ??= this.makeGradients();
    return this.preconditioning.toStoreRows(await this.gradients.tokenRows(model, loss, positions));
  }

  /**
   * All rows of another run, made as this one, as the store's rows are: to search or score with, each [width].
   * @throws LayoutMismatchError if its columns are not these
   */
  rowsOfRun(run: Run): Float32Array[] {
    const store = GradientStoreReader.open(run.storeDirectory());
    try {
      const [left, right] = [describeColumns(store.columns), describeColumns(this.columns)];
      if (left !== right) throw new LayoutMismatchError(run.path, this.run.path, 'columns', left, right);
      const ids = Array.from({ length: store.rows }, (_, id) => id).filter((id) => store.isWritten(id));
      return this.preconditioning.toStoreRows(ids.map((id) => store.row(id)));
    } finally {
      store.close();
    }
  }

  /**
   * Unlearns examples one at a time, by one gradient-ascent step on each, and compares what the query's loss rises by
   * with what exact gradients predict and with the scores of the run's rows. Weights are put back to the bit.
   *
   * @param query A batch, of which the mean loss is meant, or any scalar loss computed from the model's output.
   * @throws ModelMismatchError, InvalidOptionError, NoGradientError, RowNotWrittenError, ExampleRangeError
   */
  verify(
    model: tf.LayersModel,
    query: Batch | (() => tf.Scalar),
    options: VerifyOptions,
  ): Promise<Verification> {
    if (this.preconditioned === 'rows')
      throw new InvalidOptionError(
        'store',
        this.primary.name,
        'one whose rows are not preconditioned, as a step is not',
      );
    const { store } = this.alone();
    this.gradients ??= this.makeGradients();
    return this.gradients.verify(model, query, options, store);
  }

  /** Frees files, threads, and what is kept of models. */
  async close(): Promise<void> {
    this.gradients?.close();
    this.preconditioning.close();
    this.gradients = undefined;
    await this.opened.close();
  }

  /** The last store of the first run. */
  private get primary(): Source & Pick<OpenedIndex, 'store'> {
    const [{ run }] = this.sources as [Source];
    const position = this.sources.findLastIndex((source) => source.run === run);
    const { store } = this.opened.stores[position] as OpenedIndex;
    return { ...(this.sources[position] as Source), store };
  }

  private storeAt(position: number): Pick<OpenedIndex, 'store'> {
    const found = this.opened.stores[position];
    if (found === undefined) throw new InvalidOptionError('store', position, `below ${this.sources.length}`);
    return found;
  }

  /** The only store. @throws InvalidOptionError if there are several */
  private alone(): Pick<OpenedIndex, 'store'> {
    if (this.sources.length === 1) return this.primary;
    throw new InvalidOptionError('store', this.sources.map(({ name }) => name).join(' and '), 'one alone');
  }

  /** The query that is searched with for `row`. @throws GlobalRowsError */
  private explainedQuery(
    row: Float32Array,
    { unitNorm = false }: Pick<SearchOptions, 'unitNorm'>,
  ): Float32Array {
    const { run } = this;
    if (run.manifest.projection.projectionTarget === 'global') throw new GlobalRowsError(run.path);
    const [query = row] = this.preconditioning.toQueries([row], { unitNorm });
    return query;
  }

  private scoresByLayer(
    query: Float32Array,
    parts: readonly Float32Array[],
    { layers, unitNorm = false }: Pick<SearchOptions, 'layers' | 'unitNorm'>,
  ): LayerScore[][] {
    const { store } = this.primary;
    const offsets = columnOffsets(store.layout);
    const chosen = layers === undefined ? store.columns.map((_, i) => i) : layerNumbers(store, layers);
    const norm = unitNorm ? normOver(sumOfRows(parts), offsets, chosen) : 1;
    return parts.map((part) => {
      const scores = layerScores(query, part, offsets);
      return chosen.map((i) => ({ layer: store.columns[i]?.layer ?? '', score: (scores[i] ?? 0) / norm }));
    });
  }

  private makeGradients(): QueryGradients {
    // Nothing else here needs tfjs, which takes longer to load than many a search.
    const { QueryGradients } = require('./query/query-gradients') as typeof import('./query/query-gradients');
    return new QueryGradients(this.run, this.otherWeights);
  }
}
