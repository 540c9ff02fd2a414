/** Turns training steps into a run: the collector on one side, the run's writer on the other. */
import fs from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import { lossNames } from '../compiled-model';
import { HnswUnavailableError } from '../errors';
import {
  GradientCollector,
  type CollectedGradients,
  type GradientCollectorOptions,
} from '../gradient-collector';
import { AdamNormalizer } from '../normalizers/adam';
import { saveNormalizer } from '../normalizers/normalizer';
import { buildIndex } from '../search/open-index';
import type { RowDtype } from '../store/format';
import { writeExamples, type ExampleRecord } from './example-records';
import { digestWeights, saveModel } from './model-files';
import { Run } from './run';
import { runPaths } from './run-paths';
import type { RunDescription } from './run-manifest';
import { RunWriter } from './run-writer';
import { VERSION } from '../version';

export interface RunOptions extends Pick<
  GradientCollectorOptions,
  'projectionDim' | 'projectionType' | 'seed' | 'includeBias' | 'layers'
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

/** Rows of a step that has run, not yet written. */
interface PendingStep {
  readonly ids: Int32Array;
  readonly gradients: CollectedGradients;
}

export class RunRecorder {
  private pending: PendingStep | null = null;

  private constructor(
    private readonly model: tf.LayersModel,
    private readonly options: RunOptions,
    private readonly collector: GradientCollector,
    private readonly normalizer: AdamNormalizer | null,
    private readonly writer: RunWriter,
  ) {}

  /**
   * Starts a run over `examples` rows of training data. Nothing is left behind if it throws.
   * @throws RunExistsError, UnsupportedLayerError, UnknownLayerError, InvalidOptionError, OptimizerStateError
   */
  static start(model: tf.LayersModel, examples: number, options: RunOptions): RunRecorder {
    const normalizer = options.useOptimizerState === true ? new AdamNormalizer(model.optimizer) : null;
    const collector = new GradientCollector(model, { ...options, normalizer });
    const writer = RunWriter.create(
      options.path,
      describeRun(model, examples, options, collector),
      collector.columns,
    );
    if (options.examples !== undefined) {
      try {
        writeExamples(runPaths.examples(options.path), options.examples, examples);
      } catch (error) {
        writer.abort();
        fs.rmSync(options.path, { recursive: true });
        throw error;
      }
    }
    return new RunRecorder(model, options, collector, normalizer, writer);
  }

  beginEpoch(epoch: number): void {
    this.writer.beginEpoch(epoch);
  }

  /** Runs one training step, and keeps its rows until `writeStep`. */
  captureStep<T>(ids: Int32Array, step: () => T): T {
    const { result, gradients } = this.collector.surround(step, ids.length);
    this.pending = { ids, gradients };
    return result;
  }

  /** @throws NonFiniteGradientError, Float16OverflowError, DiskWriteError */
  async writeStep(): Promise<void> {
    if (this.pending === null) return;
    const { ids, gradients } = this.pending;
    this.pending = null;
    const values = await this.collector.rows(gradients, ids.length);
    this.writer.writeStep(ids, values);
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

  /** Stops and leaves the run as a kill would. */
  abort(): void {
    tf.dispose([...(this.pending?.gradients.values() ?? [])]);
    this.pending = null;
    this.writer.abort();
    this.collector.dispose();
  }
}

function describeRun(
  model: tf.LayersModel,
  examples: number,
  options: RunOptions,
  { layers, coverage, projection, includeBias }: GradientCollector,
): RunDescription {
  return {
    created: new Date().toISOString(),
    versions: { 'tfjs-bergson': VERSION, tfjs: tf.version.tfjs, node: process.version },
    backend: tf.getBackend(),
    examples,
    layers: layers.flatMap(({ layer, parts, fallback }) =>
      parts.map(({ path, gradientShape }) => ({
        path,
        className: layer.getClassName(),
        gradientShape,
        fallback,
      })),
    ),
    coverage,
    projection,
    includeBias,
    dtype: options.dtype ?? 'float32',
    normalizer: options.useOptimizerState === true ? 'adam' : 'none',
    accumulate: options.accumulate ?? false,
    trackOrder: options.trackOrder ?? false,
    optimizer: model.optimizer.getClassName(),
    losses: lossNames(model),
  };
}

/** Search is exact where hnswlib-node cannot be loaded, and says so when asked. */
async function buildIndexIfPossible(directory: string, onProgress?: (rows: number) => void): Promise<void> {
  try {
    await buildIndex(directory, { onProgress });
  } catch (error) {
    if (!(error instanceof HnswUnavailableError)) throw error;
  }
}
