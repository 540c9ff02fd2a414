/** Trains a language model on a data set, and records the run. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { GradientCollectorCallback, prepareForGradientCollection } from '../../callbacks';
import type { ShowProgress, StageProgress } from '../../lib/build/build-run';
import { surveyDataset, type Survey } from '../../lib/build/survey';
import type { DatasetCounts } from '../../lib/datasets/counts';
import { openDataset, type TextDataset } from '../../lib/datasets/dataset';
import { tokenizerFile } from '../../lib/datasets/tokenizer-file';
import { RunMismatchError } from '../../lib/errors';
import type { CausalLM } from '../../lib/models/causal-lm';
import { ExampleRecords, type ExampleRecord } from '../../lib/run/example-records';
import { Run } from '../../lib/run/run';
import { runPaths } from '../../lib/run/run-paths';
import { sha256File } from '../../lib/store/record-file';
import { AdamW } from '../../lib/training/adamw';
import { languageData } from '../../lib/training/language-data';
import { learningRateAt } from '../../lib/training/schedule';
import { findTokenizer, openModel } from './open-model';
import type { TrainOptions } from './train-options';
import { readPast, TrainingKeeper, type TrainingPast } from './training-keeper';
import { TrainingProgress } from './training-progress';

export interface TrainedRun {
  readonly run: Run;
  /** The mean loss over each epoch's examples, the last one's as far as it went. */
  readonly losses: readonly number[];
  /** What became of the data set's rows. */
  readonly counts: DatasetCounts;
  readonly steps: number;
  readonly stepsDone: number;
  /** Epochs that an earlier call had done. */
  readonly epochsFound: number;
}

/**
 * Trains and writes the run: an epoch's gradients each, the training order, and the model in both formats, Hugging Face's
 * beside tfjs's. `process` being interrupted ends it after the step it is at, with all that there is by then.
 * `tell` is told of each epoch in a line.
 *
 * Interrupted or killed at any point, the same call goes on after the last epoch that was done, to the same bits as if it had
 * not been. Asked for anything else, it refuses.
 * @throws RunExistsError, RunMismatchError, InvalidOptionError; what `loadCausalLM`, `createCausalLM` and `openDataset` throw
 */
export async function trainLanguageModel(
  options: TrainOptions,
  show: ShowProgress,
  tell: (line: string) => void = () => undefined,
): Promise<TrainedRun> {
  const past = readPast(options);
  const tokenizer = findTokenizer(options);
  const lm = await openModel(options);
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'bergson-train-'));
  try {
    const contextLength = Math.min(lm.contextLength, options.contextLength ?? lm.contextLength);
    const dataset = await openDataset(options.dataset, {
      ...options.reading,
      contextLength,
      ...(tokenizer !== null && { tokenizer }),
    });
    try {
      const records = path.join(scratch, 'examples.jsonl');
      const survey = await showSurvey(dataset, records, show);
      checkExamples(options.run, records);
      return await train(options, { show, tell, past, lm, tokenizer, dataset, records, survey });
    } finally {
      await dataset.close();
    }
  } finally {
    lm.model.dispose();
    fs.rmSync(scratch, { recursive: true });
  }
}

interface Opened {
  readonly show: ShowProgress;
  readonly tell: (line: string) => void;
  readonly past: TrainingPast;
  readonly lm: CausalLM;
  readonly tokenizer: string | null;
  readonly dataset: TextDataset;
  /** A file of the examples' records. */
  readonly records: string;
  readonly survey: Survey;
}

async function train(options: TrainOptions, opened: Opened): Promise<TrainedRun> {
  const { show, past, lm, tokenizer, dataset, survey } = opened;
  const { epochs, batchSize, seed } = options;
  const stepsAnEpoch = Math.ceil(survey.counts.examples / batchSize);
  const steps = epochs * stepsAnEpoch;
  const schedule = { peak: options.learningRate, warmupSteps: Math.round(options.warmup * steps), steps };
  const optimizer = new AdamW({
    learningRate: (step) => learningRateAt(step, schedule),
    weightDecay: options.weightDecay,
    beta2: 0.95,
  });
  const model = prepareForGradientCollection(lm.forTraining(optimizer));
  const progress = new TrainingProgress(steps, epochs, show, opened.tell, past);
  let indexing: StageProgress | undefined;
  const collector = new GradientCollectorCallback({
    path: options.run,
    resumeFrom: past.epochs,
    layers: lm.linearMaps,
    includeBias: false,
    projectionDim: options.projectionDim,
    seed,
    dtype: options.dtype,
    normalizer: options.normalizer,
    trackOrder: true,
    index: options.index,
    examples: recordsIn(opened.records, survey.lengths.length),
    onIndexProgress: (rows) => {
      indexing ??= show('indexing', survey.lengths.length);
      indexing.update(rows);
    },
  });
  const interrupt = () => {
    // A second Ctrl-C finds no listener, and ends the process.
    model.stopTraining = true;
  };
  process.once('SIGINT', interrupt);
  try {
    const keeper = new TrainingKeeper(options, { model, optimizer }, past, stepsAnEpoch, progress);
    const { vocabularySize } = lm;
    const data = languageData(dataset, { batchSize, seed, vocabularySize, firstEpoch: past.epochs });
    await model.fitDataset(data, {
      epochs,
      initialEpoch: past.epochs,
      verbose: 0,
      // The bar ends before that of the index begins, and a run that is complete has its model.
      callbacks: [progress, new ModelSaver(lm, tokenizer, runPaths.model(options.run)), collector, keeper],
    });
  } finally {
    process.off('SIGINT', interrupt);
    progress.stop();
    indexing?.stop();
    optimizer.dispose();
  }
  const { losses, stepsDone } = progress;
  const { counts } = survey;
  return { run: Run.open(options.run), losses, counts, steps, stepsDone, epochsFound: past.epochs };
}

/** @throws RunMismatchError if the run has been begun with other examples than those of `records` */
function checkExamples(run: string, records: string): void {
  const begun = runPaths.examples(run);
  if (!fs.existsSync(begun)) return;
  const [expected, found] = [begun, records].map(sha256File) as [string, string];
  if (expected !== found) throw new RunMismatchError(run, 'examples of sha256', expected, found);
}

async function showSurvey(dataset: TextDataset, records: string, show: ShowProgress): Promise<Survey> {
  const progress = show('reading', dataset.range.end - dataset.range.start);
  try {
    return await surveyDataset(dataset, records, (rows) => {
      progress.update(rows);
    });
  } finally {
    progress.stop();
  }
}

/** Records read together. */
const BLOCK = 1024;

/** The `count` records of a file, of which a block at a time is in memory. */
function* recordsIn(file: string, count: number): Generator<ExampleRecord> {
  const records = ExampleRecords.open(file);
  for (let first = 0; first < count; first += BLOCK) {
    const ids = Array.from({ length: Math.min(BLOCK, count - first) }, (_, i) => first + i);
    const block = records.read(ids);
    for (const id of ids) yield block.get(id) ?? {};
  }
}

/** Saves the model as Hugging Face has it, with its tokenizer, when training ends. */
class ModelSaver extends tf.Callback {
  constructor(
    private readonly lm: CausalLM,
    private readonly tokenizer: string | null,
    private readonly directory: string,
  ) {
    super();
  }

  override onTrainEnd(): Promise<void> {
    this.lm.save(this.directory);
    if (this.tokenizer === null) return Promise.resolve();
    const file = tokenizerFile(this.tokenizer);
    fs.copyFileSync(file, path.join(this.directory, 'tokenizer.json'));
    for (const name of ['tokenizer_config.json', 'chat_template.jinja']) {
      const beside = path.join(path.dirname(file), name);
      if (fs.existsSync(beside)) fs.copyFileSync(beside, path.join(this.directory, name));
    }
    return Promise.resolve();
  }
}
