/** Keeps a training at the end of each epoch, so that the same call goes on with it after it was interrupted. */
import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { RunExistsError, RunMismatchError } from '../../lib/errors';
import { runPaths } from '../../lib/run/run-paths';
import { guardWrite } from '../../lib/store/disk';
import { readNotes, restoreTraining, saveTraining, type Training } from '../../lib/training/checkpoint';
import type { TrainOptions } from './train-options';

/** How far a training was when it began, or went on. */
export interface TrainingPast {
  readonly epochs: number;
  readonly steps: number;
  /** The mean of each epoch. */
  readonly losses: readonly number[];
}

/**
 * What is kept of a training in its run, all zeros if nothing is.
 * @throws RunMismatchError if it was begun with other options, RunExistsError if something else is there, or a finished run
 */
export function readPast(options: TrainOptions): TrainingPast {
  const { run } = options;
  const file = runPaths.checkpoint(run);
  if (!fs.existsSync(file)) {
    const names = fs.existsSync(run) ? fs.readdirSync(run) : [];
    // What a kill leaves of the first one.
    if (names.some((name) => !name.startsWith(path.basename(file)))) throw new RunExistsError(run);
    return { epochs: 0, steps: 0, losses: [] };
  }
  const { options: begun = '{}', losses = '[]', steps } = readNotes(file);
  checkSame(run, JSON.parse(begun) as Options, describe(options));
  const means = JSON.parse(losses) as number[];
  return { epochs: means.length, steps: Number(steps), losses: means };
}

function checkSame(run: string, begun: Options, asked: Options): void {
  for (const name of new Set([...Object.keys(begun), ...Object.keys(asked)])) {
    const [expected, found] = [begun, asked].map((options) => JSON.stringify(options[name] ?? null)) as [
      string,
      string,
    ];
    if (expected !== found) throw new RunMismatchError(run, name, expected, found);
  }
}

type Options = Readonly<Record<string, unknown>>;

/** All that decides what a run will hold, by name. */
function describe(options: TrainOptions): Options {
  const { model, dataset, tokenizer } = options;
  const fixed: Partial<TrainOptions> = { ...options };
  for (const name of ['run', 'index', 'model'] as const) Reflect.deleteProperty(fixed, name);
  return {
    ...fixed,
    ...Object.fromEntries(Object.entries(model).map(([name, place]) => [name, path.resolve(place)])),
    dataset: path.resolve(dataset),
    ...(tokenizer !== undefined && { tokenizer: path.resolve(tokenizer) }),
  };
}

/** Put after the collector among the callbacks of a training: an epoch is kept once its rows are. */
export class TrainingKeeper extends tf.Callback {
  private readonly file: string;

  /** Sets `training` to where it was, or keeps it as it begins. @throws RunMismatchError, InvalidSafetensorsError, DiskWriteError */
  constructor(
    private readonly options: TrainOptions,
    private readonly training: Training,
    past: TrainingPast,
    private readonly stepsAnEpoch: number,
    /** How far it is now. */
    private readonly progress: { readonly stepsDone: number; readonly losses: readonly number[] },
  ) {
    super();
    const { run } = options;
    this.file = runPaths.checkpoint(run);
    if (past.steps !== past.epochs * stepsAnEpoch)
      throw new RunMismatchError(run, 'steps an epoch', `${past.steps / past.epochs}`, `${stepsAnEpoch}`);
    if (fs.existsSync(this.file)) {
      restoreTraining(this.file, training);
      return;
    }
    guardWrite(run, 0, () => fs.mkdirSync(run, { recursive: true }));
    this.keep([]);
  }

  /** Of an epoch that was interrupted nothing is kept. @throws DiskWriteError */
  override onEpochEnd(epoch: number): Promise<void> {
    const { stepsDone, losses } = this.progress;
    if (stepsDone === (epoch + 1) * this.stepsAnEpoch) this.keep(losses);
    return Promise.resolve();
  }

  /** Once all epochs are done there is nothing to go on with. */
  override onTrainEnd(): Promise<void> {
    if (this.progress.stepsDone === this.options.epochs * this.stepsAnEpoch) fs.rmSync(this.file);
    return Promise.resolve();
  }

  private keep(losses: readonly number[]): void {
    const options = JSON.stringify(describe(this.options));
    saveTraining(this.file, this.training, { options, losses: JSON.stringify(losses) });
  }
}
