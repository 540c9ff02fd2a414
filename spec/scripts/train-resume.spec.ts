import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { Run, RunExistsError, RunMismatchError } from '../../callbacks';
import { readNotes } from '../../lib/training/checkpoint';
import { runPaths } from '../../lib/run/run-paths';
import { sha256File } from '../../lib/store/record-file';
import { trainLanguageModel } from '../../scripts/train/train-language-model';
import type { TrainOptions } from '../../scripts/train/train-options';
import { silent } from '../build/support';
import { TOKENIZER, writeJsonl } from '../datasets/support';
import { kill, startBergson } from '../support/child-process';
import { temporaryDirectory } from '../support/temporary-directory';

const directory = temporaryDirectory();
const SHAPE = { model_type: 'gpt2', vocab_size: 400, n_embd: 16, n_head: 2, n_layer: 2, n_positions: 24 };
const config = path.join(directory, 'config.json');
fs.writeFileSync(config, JSON.stringify(SHAPE));
const texts = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    text: `The mill of ${i} stones grinds ${'on '.repeat(i % 7)}.`,
  }));
const dataset = writeJsonl(directory, 'texts.jsonl', texts(21));
const EPOCHS = 4;
/** 21 examples, eight at a time. */
const STEPS_AN_EPOCH = 3;

const options = (run: string, more: Partial<TrainOptions> = {}): TrainOptions => ({
  run: path.join(directory, run),
  model: { config },
  dataset,
  tokenizer: TOKENIZER,
  reading: {},
  epochs: EPOCHS,
  batchSize: 8,
  learningRate: 0.01,
  warmup: 0.2,
  weightDecay: 0.1,
  seed: 5,
  projectionDim: 4,
  normalizer: 'adam',
  dtype: 'float32',
  index: false,
  ...more,
});

/** What every file of a run holds, but the manifest, which says when it was begun, and names that count a process's weights. */
function bytesOf(run: string): Record<string, string> {
  const files = fs.readdirSync(run, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  return Object.fromEntries(
    files
      .map((file) => path.join(file.parentPath, file.name))
      .map((file) => [path.relative(run, file), sha256File(file)] as const)
      .filter(([name]) => !['run.msgpack', path.join('model', 'model.json')].includes(name)),
  );
}

/** Begins a training, and stops it as an error would, once it has told of so many epochs. */
async function stoppedAfter(epochs: number, asked: TrainOptions): Promise<void> {
  let told = 0;
  const stop = () => {
    if (++told === epochs) throw new Error('pulled the plug');
  };
  await expect(trainLanguageModel(asked, silent, stop)).rejects.toThrow('pulled the plug');
}

let whole: string;
beforeAll(async () => {
  ({ path: whole } = (await trainLanguageModel(options('whole'), silent)).run);
});

it('goes on with what SIGKILL left, to the same bytes of weights, rows and order', async () => {
  const asked = options('killed');
  const child = startBergson('train', asked.run, ...argumentsOf(asked));
  await new Promise<void>((resolve) => {
    let told = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      told += chunk.toString();
      if (told.includes('epoch 2 of 4')) resolve();
    });
  });
  await kill(child);
  const left = Run.open(asked.run);
  expect(left.manifest.state).toBe('training');
  const epochs = (JSON.parse(readNotes(runPaths.checkpoint(asked.run)).losses ?? '') as number[]).length;
  expect(epochs).toBeGreaterThan(0);
  const stores = Array.from({ length: epochs }, (_, epoch) => runPaths.store(asked.run, `epoch_${epoch}`));
  const written = stores.map((store) => fs.statSync(path.join(store, 'gradients.bin')).mtimeMs);

  const before = tf.memory().numTensors;
  const { epochsFound, losses, stepsDone } = await trainLanguageModel(asked, silent);
  expect(tf.memory().numTensors).toBe(before);
  expect({ epochsFound, stepsDone }).toEqual({ epochsFound: epochs, stepsDone: EPOCHS * STEPS_AN_EPOCH });
  expect(losses).toHaveLength(EPOCHS);
  expect(stores.map((store) => fs.statSync(path.join(store, 'gradients.bin')).mtimeMs)).toEqual(written);
  expect(bytesOf(asked.run)).toEqual(bytesOf(whole));
  const { manifest } = Run.open(asked.run);
  expect({ ...Run.open(whole).manifest, created: manifest.created }).toEqual(manifest);
});

it.each([1, 3])('goes on after it failed while it told of epoch %d', async (epoch) => {
  const asked = options(`failed-${epoch}`);
  await stoppedAfter(epoch, asked);
  // What tells of an epoch comes before its rows are sealed, and so before it is kept.
  const { epochsFound } = await trainLanguageModel(asked, silent);
  expect(epochsFound).toBe(epoch - 1);
  expect(bytesOf(asked.run)).toEqual(bytesOf(whole));
});

it('goes on after Ctrl-C, which leaves a run that can be read and its model', async () => {
  const asked = options('interrupted');
  const interrupt = () => {
    process.emit('SIGINT');
  };
  let told = 0;
  const { run, stepsDone } = await trainLanguageModel(asked, silent, () => {
    if (++told === 2) setImmediate(interrupt);
  });
  expect(stepsDone).toBeLessThan(EPOCHS * STEPS_AN_EPOCH);
  expect(run.manifest.state).toBe('complete');
  expect(fs.existsSync(path.join(run.path, 'model', 'model.safetensors'))).toBe(true);
  const { epochsFound } = await trainLanguageModel(asked, silent);
  expect(epochsFound).toBe(2);
  expect(bytesOf(asked.run)).toEqual(bytesOf(whole));
});

it('goes on with nothing else, and leaves what was begun as it is', async () => {
  const asked = options('mismatch');
  await stoppedAfter(2, asked);
  const before = bytesOf(asked.run);
  const other = writeJsonl(directory, 'other.jsonl', texts(20));
  const changes: Partial<TrainOptions>[] = [
    { learningRate: 0.02 },
    { epochs: EPOCHS + 1 },
    { dataset: other },
    { seed: 6 },
    { tokenizer: path.dirname(TOKENIZER) },
    { model: { config: dataset } },
  ];
  for (const change of changes) {
    const error = await trainLanguageModel({ ...asked, ...change }, silent).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(RunMismatchError);
    expect(bytesOf(asked.run)).toEqual(before);
  }
  // The same name, and other texts behind it.
  const rows = fs.readFileSync(dataset);
  fs.writeFileSync(dataset, rows.toString().replace('stones', 'wheels'));
  await expect(trainLanguageModel(asked, silent)).rejects.toThrow(RunMismatchError);
  fs.writeFileSync(dataset, rows);
  expect(bytesOf(asked.run)).toEqual(before);
  await trainLanguageModel(asked, silent);
  expect(bytesOf(asked.run)).toEqual(bytesOf(whole));
  await expect(trainLanguageModel(asked, silent)).rejects.toThrow(RunExistsError);
});

function argumentsOf({
  model,
  batchSize,
  learningRate,
  warmup,
  seed,
  projectionDim,
  normalizer,
  ...asked
}: TrainOptions) {
  return [
    ...['--config', 'config' in model ? model.config : '', '--dataset', asked.dataset],
    ...['--tokenizer', asked.tokenizer ?? '', '--epochs', `${asked.epochs}`, '--batch-size', `${batchSize}`],
    ...['--learning-rate', `${learningRate}`, '--warmup', `${warmup}`, '--seed', `${seed}`, '--no-index'],
    ...['--projection-dim', `${projectionDim}`, '--normalizer', normalizer],
  ];
}
