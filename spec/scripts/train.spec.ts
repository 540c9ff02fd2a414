import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { createCausalLM, GradientStoreReader, loadCausalLM, Run } from '../../callbacks';
import { findAttributedLayers } from '../../lib/capture/attributed-layers';
import { collate } from '../../lib/datasets/collate';
import { openDataset } from '../../lib/datasets/dataset';
import { digestWeights } from '../../lib/run/model-files';
import { textInputs } from '../../scripts/query/inputs';
import { QuerySession } from '../../scripts/query/session';
import { toOptions, type TrainArguments } from '../../scripts/train/arguments';
import { trainLanguageModel } from '../../scripts/train/train-language-model';
import type { TrainOptions } from '../../scripts/train/train-options';
import { silent } from '../build/support';
import { all, TOKENIZER, writeJsonl } from '../datasets/support';
import { batchOfOneGradients } from '../reference/batch-of-one';
import { TYPESCRIPT } from '../support/child-process';
import { relativeError, ROUNDING } from '../support/closeness';
import { runBergson } from '../support/run-bergson';
import { temporaryDirectory } from '../support/temporary-directory';

const directory = temporaryDirectory();
const SHAPE = {
  model_type: 'gpt2',
  vocab_size: 400,
  n_embd: 16,
  n_head: 2,
  n_layer: 2,
  n_positions: 24,
  initializer_range: 0.1,
};
const ROWS = [
  'The river rises in the hills.',
  'Rain on the hills is flour in the mill.',
  '',
  'The miller keeps the river’s time.',
  'One, two, three, and a half.',
  'When the sea comes in, the river stands still and the mill is silent, and so is the valley, and so are the hills.',
];
const dataset = writeJsonl(
  directory,
  'texts.jsonl',
  ROWS.map((text) => ({ text })),
);
const config = path.join(directory, 'config.json');
fs.writeFileSync(config, JSON.stringify(SHAPE));

const given = ['--config', config, '--dataset', dataset, '--tokenizer', TOKENIZER, '--projection-dim', '4'];
const small = ['--batch-size', '2', '--learning-rate', '0.01', '--no-index'];

describe('bergson train', () => {
  const run = path.join(directory, 'run');

  it('trains from random weights, and saves the run, its order, and the model in both formats', async () => {
    const { code, stdout } = runBergson(['train', run, ...given, ...small, '--epochs', '4', '--json']);
    expect(code).toBe(0);
    const outcome = JSON.parse(stdout) as { losses: number[] };
    expect(outcome).toMatchObject({ run, steps: 12, stepsDone: 12, interrupted: false });
    expect(outcome).toMatchObject({ counts: { examples: 5, truncated: 1, skipped: [{ firstRows: [2] }] } });
    // Of 400 tokens by chance: ln 400 = 5.99.
    expect(outcome.losses[0]).toBeGreaterThan(5);
    expect(outcome.losses[3]).toBeLessThan((outcome.losses[0] ?? 0) - 0.5);

    const written = Run.open(run);
    expect(written.describe()).toBe('a complete run of 4 finished epochs over 6 examples');
    expect(written.manifest.layers).toHaveLength(8);
    const order = [...(written.trainingOrder()?.batches() ?? [])];
    for (let epoch = 0; epoch < 4; epoch++) {
      const seen = order.filter((batch) => batch.epoch === epoch).flatMap(({ examples }) => [...examples]);
      expect(seen.toSorted((a, b) => a - b)).toEqual([0, 1, 3, 4, 5]);
    }
    expect(fs.readFileSync(path.join(run, 'examples.jsonl'), 'utf8')).toContain('flour in the mill');

    const lm = await loadCausalLM(path.join(run, 'model'));
    expect(digestWeights(lm.model)).toBe(written.manifest.weightsDigest);
    lm.model.dispose();
  });

  it('is ended by Ctrl-C after its step, with a run that can be read and its model', async () => {
    const stopped = path.join(directory, 'stopped');
    const script = path.join(__dirname, '../../scripts/bergson.ts');
    const args = [
      '-r',
      TYPESCRIPT,
      script,
      'train',
      stopped,
      ...given,
      ...small,
      '--epochs',
      '100000',
      '--json',
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    child.stderr.once('data', () => child.kill('SIGINT'));
    const [code] = (await once(child, 'close')) as [number];
    expect(code).toBe(130);
    expect(JSON.parse(printed)).toMatchObject({ interrupted: true, steps: 300_000 });
    const order = [...(Run.open(stopped).trainingOrder()?.batches() ?? [])];
    expect(JSON.parse(printed)).toMatchObject({ stepsDone: order.length });
    expect(fs.existsSync(path.join(stopped, 'model', 'model.safetensors'))).toBe(true);
  });

  it('asks for either a model or a shape', () => {
    const refused = path.join(directory, 'refused');
    const { code, stderr } = runBergson(['train', refused, ...given, '--model', directory]);
    expect(code).toBe(2);
    expect(stderr).toContain('Give either --model or --config.');
    expect(fs.existsSync(refused)).toBe(false);
  });
});

it.each([
  { what: 'no epochs', asked: { epochs: 0 }, says: '`epochs` is 0; it must be a whole number from 1' },
  { what: 'half an example', asked: { batchSize: 0.5 }, says: '`batch-size` is 0.5' },
  { what: 'no rate', asked: { learningRate: NaN }, says: '`learning-rate` is NaN' },
  { what: 'a warm-up that is no share', asked: { warmup: 20 }, says: '`warmup` is 20' },
])('refuses $what', ({ asked, says }) => {
  const args = { epochs: 1, batchSize: 1, learningRate: 1, warmup: 0, weightDecay: 0, seed: 0, ...asked };
  expect(() => toOptions(args as TrainArguments)).toThrow(says);
});

describe('training in one step', () => {
  const options = (run: string, more: Partial<TrainOptions> = {}): TrainOptions => ({
    run: path.join(directory, run),
    model: { config },
    dataset,
    tokenizer: TOKENIZER,
    reading: {},
    epochs: 1,
    batchSize: 8,
    learningRate: 1e-3,
    warmup: 0,
    weightDecay: 0.1,
    seed: 7,
    projectionDim: 'exact',
    normalizer: 'none',
    dtype: 'float32',
    index: false,
    ...more,
  });

  it('stores the gradients that each example has alone, of its mean loss under the first weights', async () => {
    const { run } = await trainLanguageModel(options('one-step'), silent);
    const lm = createCausalLM(SHAPE, 7);
    const model = lm.forTraining(tf.train.sgd(0));
    const texts = await openDataset(dataset, { contextLength: 24, tokenizer: TOKENIZER });
    const batch = collate(await all(texts.examples()));
    await texts.close();
    const tokens = (values: Int32Array) => tf.tensor2d(values, [...batch.shape], 'int32');
    const xs = [tokens(batch.inputIds), tokens(batch.labels)];
    const parts = findAttributedLayers(model, { layers: lm.linearMaps, includeBias: false }).flatMap(
      (layer) => layer.parts,
    );
    const loss = (of: tf.LayersModel, inputs: tf.Tensor[]) =>
      (of.apply(inputs) as tf.Tensor).mean<tf.Scalar>();
    const expected = batchOfOneGradients(model, parts, loss, xs);
    const store = GradientStoreReader.open(run.storeDirectory());
    expect(store.columns.map(({ layer }) => layer)).toEqual(lm.linearMaps);
    batch.ids.forEach((id, i) => {
      const oracle = parts.flatMap((part) => [...(expected.get(part.path)?.[i] ?? [])]);
      expect(relativeError(store.row(id), oracle)).toBeLessThan(ROUNDING);
    });
    expect(() => store.row(2)).toThrow(); // the row without a text
    store.close();
    tf.dispose(xs);
    model.optimizer.dispose();
    lm.model.dispose();
  });

  it('makes a run that texts ask: by a text of its own, by the row that training stored of it', async () => {
    // Too small a step to change a float32, so that the saved weights are those the row is of.
    const still = options('still', { learningRate: 1e-12, projectionDim: 4 });
    const { run } = await trainLanguageModel(still, silent);
    const session = await QuerySession.open(run.path, { engine: 'exact', onTruncated: () => undefined });
    for (const id of [0, 1, 3]) {
      const [question] = await session.fromInputs(textInputs('here', [ROWS[id] ?? '']));
      expect(relativeError(question?.row ?? [], session.attributor.row(id))).toBeLessThan(ROUNDING);
    }
    await session.close();
  });

  it('goes on from the folder that it has saved, with the tokenizer there', async () => {
    const { run: first } = await trainLanguageModel(options('first', { projectionDim: 4 }), silent);
    const { tokenizer, ...rest } = options('second', { projectionDim: 4, weightDecay: 0 });
    expect(tokenizer).toBe(TOKENIZER);
    const model = { folder: path.join(first.path, 'model') };
    const { losses, counts, run } = await trainLanguageModel({ ...rest, model, epochs: 2 }, silent);
    expect(counts).toMatchObject({ examples: 5 });
    expect(losses[1]).toBeLessThan(losses[0] ?? 0);
    expect(run.manifest.weightsDigest).not.toBe(first.manifest.weightsDigest);
  });

  it('leaves no tensor, and refuses a run that is there and tokens that the model does not know', async () => {
    const before = tf.memory().numTensors;
    await trainLanguageModel(options('no-tensor', { normalizer: 'adam' }), silent);
    await expect(trainLanguageModel(options('no-tensor'), silent)).rejects.toThrow(/exists and is not empty/);
    const fewer = path.join(directory, 'fewer.json');
    fs.writeFileSync(fewer, JSON.stringify({ ...SHAPE, vocab_size: 100 }));
    await expect(
      trainLanguageModel(options('unknown', { model: { config: fewer } }), silent),
    ).rejects.toThrow(
      /`tokenizer` is one whose token \d+ is in example \d; .* at most the model's 100 tokens/,
    );
    expect(fs.existsSync(path.join(directory, 'unknown'))).toBe(false);
    await expect(
      trainLanguageModel(options('nowhere', { model: { config: 'nowhere.json' } }), silent),
    ).rejects.toThrow('nowhere.json');
    expect(tf.memory().numTensors).toBe(before);
  });
});
