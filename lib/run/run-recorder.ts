/** Turns training steps into a run: the collector on one side, the run's writer on the other. */
import fs from 'node:fs';
import tf = require('@tensorflow/tfjs');
import type { RowColumns } from '../../kernels/row-terms';
import { InvalidOptionError, NoGradientError } from '../errors';
import {
  GradientCollector,
  type CollectedGradients,
  type GradientCollectorOptions,
} from '../gradient-collector';
import { chooseNormalizer, trainingOptimizer, type NormalizerChoice } from '../normalizers/choose';
import { knownLearningRate, lastLearningRate } from '../normalizers/learning-rate';
import { isFixed, type Normalizer } from '../normalizers/normalizer';
import { saveNormalizer } from '../normalizers/stored';
import { buildIndex } from '../search/open-index';
import type { RowDtype } from '../store/format';
import { writeExamples, type ExampleRecord } from './example-records';
import { describeModel } from './describe-model';
import { digestWeights, saveModel } from './model-files';
import { Run } from './run';
import { runPaths } from './run-paths';
import type { RunDescription } from './run-manifest';
import { RunWriter } from './run-writer';
import type { StepRate } from '../store/training-order';

export interface RunOptions
  extends
    NormalizerChoice,
    Pick<
      GradientCollectorOptions,
      | 'projectionDim'
      | 'projectionType'
      | 'projectionTarget'
      | 'seed'
      | 'includeBias'
      | 'attention'
      | 'layers'
    > {
  /** The run's directory: must not exist, or be empty, but for `resumeFrom`. */
  readonly path: string;
  /**
   * Goes on with the run in `path`, which was interrupted, from this epoch: those before it are kept, and of the others
   * nothing. Model and optimizer are to be as they were then. A run that is not there is begun, from 0. Default: begins one.
   */
  readonly resumeFrom?: number;
  /** How numbers are stored. Default: float32. */
  readonly dtype?: RowDtype;
  /** Whether to record which step and epoch saw each example. Default: false. */
  readonly trackOrder?: boolean;
  /** Whether to multiply each step's rows by its learning rate, so that they are of what the step did. Default: false. */
  readonly scaleByLearningRate?: boolean;
  /** Whether to sum the epochs into one store instead of keeping one each. Default: false. */
  readonly accumulate?: boolean;
  /**
   * Whether to sum the autocorrelation of each store's rows while they are written, so that a preconditioner is fitted
   * without reading them again. Not kept of a store of which a row was replaced. Default: false.
   */
  readonly autocorrelation?: boolean;
  /** Whether to build an index when training ends. Default: true. */
  readonly index?: boolean;
  /** Told how many rows are in the index while it is built. */
  readonly onIndexProgress?: (rows: number) => void;
  /** What to show of each training example, in the order of the data set: labels, texts. A run that has them keeps its own. */
  readonly examples?: Iterable<ExampleRecord>;
}

/** How the training that is recorded goes. */
export interface TrainingOptions {
  /** Rows of the training data. Default: as many as the ids of the examples that training meets. */
  readonly exampleCount?: number;
  /** What trains the model. Default: the optimizer it is compiled with. */
  readonly optimizer?: tf.Optimizer;
  /** How a step's loss combines its examples' own. Default: `'mean'`, as in tfjs's training. */
  readonly lossReduction?: 'mean' | 'sum';
}

/** What the rows of a step are made of: columns, where the addon makes them later, or gradients. */
type StepRows = { readonly columns: RowColumns } | { readonly gradients: CollectedGradients };

/** A step that has run, whose rows are not yet written. Numbers of its columns may still be to come from the background. */
export interface CapturedStep<T> {
  readonly result: T;
  readonly rows: StepRows;
  readonly ids: Int32Array;
  /** What its rows are to be multiplied by. */
  readonly scale: number;
  /** How far training went along them. */
  readonly stepRate: StepRate;
}

export class RunRecorder {
  private constructor(
    private readonly model: tf.LayersModel,
    private readonly options: RunOptions & TrainingOptions,
    private readonly collector: GradientCollector,
    private readonly normalizer: Normalizer | null,
    private readonly rate: () => number,
    private readonly writer: RunWriter,
  ) {}

  /**
   * Starts a run, or goes on with one. Nothing new is left behind if it throws.
   * @throws RunExistsError, RunMismatchError, UnsupportedLayerError, UnknownLayerError, AttentionHeadsError, InvalidOptionError, OptimizerStateError
   */
  static start(model: tf.LayersModel, options: RunOptions & TrainingOptions): RunRecorder {
    const optimizer: tf.Optimizer | undefined = options.optimizer ?? model.optimizer;
    const { path, resumeFrom, accumulate } = options;
    if (resumeFrom !== undefined && accumulate === true)
      throw new InvalidOptionError(
        'accumulate',
        true,
        'false with `resumeFrom`: an epoch cannot be taken out of a sum',
      );
    const { name, normalizer } = chooseNormalizer(options, optimizer);
    const rate = readRate(options, optimizer);
    const collector = new GradientCollector(model, { ...options, normalizer });
    const description = describeRun(model, options, optimizer, collector, name);
    const writer =
      resumeFrom === undefined
        ? RunWriter.create(path, description, collector.columns, options)
        : RunWriter.resume(path, description, collector.columns, resumeFrom, options);
    try {
      if (options.examples !== undefined && !fs.existsSync(runPaths.examples(path))) {
        const { examples } = description;
        const records = writeExamples(runPaths.examples(path), options.examples, examples);
        if (examples === null) writer.setExamples(records);
      }
      if (normalizer !== null && isFixed(normalizer)) {
        saveNormalizer(runPaths.normalizer(path), normalizer, collector.parts);
      }
    } catch (error) {
      writer.abort();
      throw error;
    }
    return new RunRecorder(model, options, collector, normalizer, rate, writer);
  }

  beginEpoch(epoch: number): void {
    this.writer.beginEpoch(epoch);
  }

  /**
   * Runs one training step on the examples `ids`, and captures its gradients.
   * @throws NoGradientError if no attributed layer took part in its backward pass; BatchAxisError
   */
  captureStep<T>(ids: Int32Array, step: () => T): CapturedStep<T> {
    const { collector } = this;
    const captured = this.writer.beginsSteps
      ? collector.surroundLeavingColumns(step, ids.length)
      : collector.surround(step, ids.length);
    return this.toStep(ids, captured);
  }

  /** The same for a step that may return a promise, which is awaited. */
  async captureAsyncStep<T>(ids: Int32Array, step: () => T | Promise<T>): Promise<CapturedStep<T>> {
    const { collector } = this;
    const captured = this.writer.beginsSteps
      ? await collector.surroundLeavingColumns<T>(step, ids.length)
      : await collector.surround<T>(step, ids.length);
    return this.toStep(ids, captured);
  }

  /**
   * Writes a step's rows, or begins to, where the addon does that while training goes on, and disposes what they are made of.
   * @throws NonFiniteGradientError, DiskWriteError, also for a step that was begun before
   */
  async writeStep(step: CapturedStep<unknown>): Promise<void> {
    const { ids, rows, scale, stepRate } = step;
    try {
      if ('columns' in rows) {
        this.writer.beginStep(ids, rows.columns, scale, stepRate);
        return;
      }
      const values = await this.collector.rows(rows.gradients, ids.length);
      this.writer.writeStep(ids, scale === 1 ? values : values.map((value) => value * scale), stepRate);
    } finally {
      disposeStep(step);
    }
  }

  /** @throws DiskWriteError */
  async endEpoch(): Promise<void> {
    await this.writer.endEpoch();
  }

  /** Saves the model and the normalizer, builds the index, and then calls the run complete. @throws DiskWriteError */
  async finish(): Promise<void> {
    const { path, index = true, onIndexProgress } = this.options;
    if (this.normalizer !== null && !isFixed(this.normalizer)) {
      saveNormalizer(runPaths.normalizer(path), this.normalizer, this.collector.parts);
    }
    await saveModel(this.model, runPaths.model(path));
    const run = Run.open(path);
    if (index && run.stores.length > 0)
      await buildIndex(run.storeDirectory(), { onProgress: onIndexProgress });
    this.writer.finish(digestWeights(this.model));
    this.collector.dispose();
  }

  /** Stops and leaves the run as a kill would; before its first step, leaves nothing. */
  abort(): void {
    this.writer.abort();
    this.collector.dispose();
  }

  /** How far the step that just was on `ids` went along each example's gradient. */
  private stepRate(ids: Int32Array): StepRate {
    const { optimizer = this.model.optimizer, lossReduction = 'mean' } = this.options;
    const lossWeight = lossReduction === 'mean' ? 1 / ids.length : 1;
    return { learningRate: knownLearningRate(optimizer), lossWeight };
  }

  private toStep<T>(ids: Int32Array, rows: { readonly result: T } & StepRows): CapturedStep<T> {
    const { size } = 'columns' in rows ? rows.columns : rows.gradients;
    const { result } = rows;
    if (size > 0) return { result, rows, ids, scale: this.rate(), stepRate: this.stepRate(ids) };
    throw new NoGradientError('no attributed layer took part in the backward pass of a training step');
  }
}

/** Disposes what the rows of a step are made of. */
export function disposeStep({ rows }: CapturedStep<unknown>): void {
  if ('columns' in rows) for (const column of rows.columns.values()) column.dispose();
  else tf.dispose([...rows.gradients.values()]);
}

/** What gives the factor of a step's rows once the step is over. @throws OptimizerStateError */
function readRate(
  { scaleByLearningRate = false }: RunOptions,
  optimizer: tf.Optimizer | undefined,
): () => number {
  if (!scaleByLearningRate) return () => 1;
  const known = trainingOptimizer(optimizer);
  lastLearningRate(known);
  return () => lastLearningRate(known);
}

function describeRun(
  model: tf.LayersModel,
  options: RunOptions & TrainingOptions,
  optimizer: tf.Optimizer | undefined,
  collector: GradientCollector,
  normalizer: string,
): RunDescription {
  return {
    ...describeModel(model, collector),
    examples: options.exampleCount ?? null,
    dtype: options.dtype ?? 'float32',
    normalizer,
    scaledByLearningRate: options.scaleByLearningRate ?? false,
    accumulate: options.accumulate ?? false,
    trackOrder: options.trackOrder ?? false,
    optimizer: optimizer?.getClassName() ?? null,
    frozen: null,
  };
}
