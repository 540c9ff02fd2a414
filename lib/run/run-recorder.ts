/** Turns training steps into a run: the collector on one side, the run's writer on the other. */
import type * as tf from '@tensorflow/tfjs';
import { NoGradientError, OptimizerStateError } from '../errors';
import { GradientCollector, type Captured, type GradientCollectorOptions } from '../gradient-collector';
import { AdamNormalizer } from '../normalizers/adam';
import { saveNormalizer } from '../normalizers/stored';
import { buildIndexIfPossible } from '../search/open-index';
import type { RowDtype } from '../store/format';
import { writeExamples, type ExampleRecord } from './example-records';
import { describeModel } from './describe-model';
import { digestWeights, saveModel } from './model-files';
import { Run } from './run';
import { runPaths } from './run-paths';
import type { RunDescription } from './run-manifest';
import { RunWriter } from './run-writer';

export interface RunOptions extends Pick<
  GradientCollectorOptions,
  'projectionDim' | 'projectionType' | 'seed' | 'includeBias' | 'attention' | 'layers'
> {
  /** The run's directory: must not exist, or be empty. */
  readonly path: string;
  /** How numbers are stored. Default: float32. */
  readonly dtype?: RowDtype;
  /** Whether to record which step and epoch saw each example. Default: false. */
  readonly trackOrder?: boolean;
  /** Whether to divide gradients by the root of the optimizer's second moments. Default: false. */
  readonly useOptimizerState?: boolean;
  /** Whether to sum the epochs into one store instead of keeping one each. Default: false. */
  readonly accumulate?: boolean;
  /** Whether to build an index when training ends. Default: true. */
  readonly index?: boolean;
  /** Told how many rows are in the index while it is built. */
  readonly onIndexProgress?: (rows: number) => void;
  /** What to show of each training example, in the order of the data set: labels, texts. */
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

/** A step that has run, whose rows are not yet written. */
export interface CapturedStep<T> extends Captured<T> {
  readonly ids: Int32Array;
}

export class RunRecorder {
  private constructor(
    private readonly model: tf.LayersModel,
    private readonly options: RunOptions & TrainingOptions,
    private readonly collector: GradientCollector,
    private readonly normalizer: AdamNormalizer | null,
    private readonly writer: RunWriter,
  ) {}

  /**
   * Starts a run. Nothing is left behind if it throws.
   * @throws RunExistsError, UnsupportedLayerError, UnknownLayerError, AttentionHeadsError, InvalidOptionError, OptimizerStateError
   */
  static start(model: tf.LayersModel, options: RunOptions & TrainingOptions): RunRecorder {
    const optimizer: tf.Optimizer | undefined = options.optimizer ?? model.optimizer;
    const normalizer = options.useOptimizerState === true ? readOptimizer(optimizer) : null;
    const collector = new GradientCollector(model, { ...options, normalizer });
    const description = describeRun(model, options, optimizer, collector);
    const writer = RunWriter.create(options.path, description, collector.columns);
    if (options.examples !== undefined) {
      try {
        const { examples } = description;
        const records = writeExamples(runPaths.examples(options.path), options.examples, examples);
        if (examples === null) writer.setExamples(records);
      } catch (error) {
        writer.abort();
        throw error;
      }
    }
    return new RunRecorder(model, options, collector, normalizer, writer);
  }

  beginEpoch(epoch: number): void {
    this.writer.beginEpoch(epoch);
  }

  /**
   * Runs one training step on the examples `ids`, and captures its gradients.
   * @throws NoGradientError if no attributed layer took part in its backward pass; BatchAxisError
   */
  captureStep<T>(ids: Int32Array, step: () => T): CapturedStep<T> {
    return toStep(ids, this.collector.surround(step, ids.length));
  }

  /** The same for a step that may return a promise, which is awaited. */
  async captureAsyncStep<T>(ids: Int32Array, step: () => T | Promise<T>): Promise<CapturedStep<T>> {
    return toStep(ids, await this.collector.surround<T>(step, ids.length));
  }

  /** Writes a step's rows, and disposes its gradients. @throws NonFiniteGradientError, Float16OverflowError, DiskWriteError */
  async writeStep({ ids, gradients }: CapturedStep<unknown>): Promise<void> {
    this.writer.writeStep(ids, await this.collector.rows(gradients, ids.length));
  }

  /** @throws DiskWriteError */
  async endEpoch(): Promise<void> {
    await this.writer.endEpoch();
  }

  /** Saves the model and the normalizer, builds the index, and then calls the run complete. @throws DiskWriteError */
  async finish(): Promise<void> {
    const { path, index = true, onIndexProgress } = this.options;
    if (this.normalizer !== null) {
      saveNormalizer(runPaths.normalizer(path), this.normalizer, this.collector.parts);
    }
    await saveModel(this.model, runPaths.model(path));
    const run = Run.open(path);
    if (index && run.stores.length > 0) await buildIndexIfPossible(run.storeDirectory(), onIndexProgress);
    this.writer.finish(digestWeights(this.model));
    this.collector.dispose();
  }

  /** Stops and leaves the run as a kill would; before its first step, leaves nothing. */
  abort(): void {
    this.writer.abort();
    this.collector.dispose();
  }
}

function readOptimizer(optimizer: tf.Optimizer | undefined): AdamNormalizer {
  if (optimizer !== undefined) return new AdamNormalizer(optimizer);
  throw new OptimizerStateError('the model is not compiled, and no `optimizer` is given');
}

function toStep<T>(ids: Int32Array, captured: Captured<T>): CapturedStep<T> {
  if (captured.gradients.size > 0) return { ...captured, ids };
  throw new NoGradientError('no attributed layer took part in the backward pass of a training step');
}

function describeRun(
  model: tf.LayersModel,
  options: RunOptions & TrainingOptions,
  optimizer: tf.Optimizer | undefined,
  collector: GradientCollector,
): RunDescription {
  return {
    ...describeModel(model, collector),
    examples: options.exampleCount ?? null,
    dtype: options.dtype ?? 'float32',
    normalizer: options.useOptimizerState === true ? 'adam' : 'none',
    accumulate: options.accumulate ?? false,
    trackOrder: options.trackOrder ?? false,
    optimizer: optimizer?.getClassName() ?? null,
    frozen: null,
  };
}
