import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import {
  GradientStoreReader,
  InvalidOptionError,
  Run,
  RunExistsError,
  RunMismatchError,
  TrainingRecorder,
  type TrainingRecorderOptions,
} from '../../callbacks';
import { denseCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';
import { BATCHES, EXAMPLES } from './frozen-model';

const directory = temporaryDirectory();
const EPOCHS = 3;

const options = (run: string): TrainingRecorderOptions => ({
  path: path.join(directory, run),
  exampleCount: EXAMPLES,
  trackOrder: true,
  index: false,
  examples: Array.from({ length: EXAMPLES }, (_, i) => ({ text: `${i}` })),
});

/** Plain gradient descent, whose only state is the weights: those at the end of each epoch. Stops at a step, if at any. */
async function train(
  asked: TrainingRecorderOptions,
  weights?: tf.Tensor[],
  stopAt = Infinity,
): Promise<tf.Tensor[][]> {
  const model = denseCase.build();
  model.compile({ optimizer: tf.train.sgd(0.1), loss: 'categoricalCrossentropy' });
  if (weights !== undefined) model.setWeights(weights);
  const { xs, ys } = denseCase.data(EXAMPLES);
  const recorder = TrainingRecorder.start(model, asked);
  const ends: tf.Tensor[][] = [];
  let step = 0;
  for (let epoch = asked.resumeFrom ?? 0; epoch < EPOCHS; epoch++) {
    recorder.beginEpoch(epoch);
    for (const ids of BATCHES) {
      if (step++ === stopAt) return ends;
      const [x, y] = [xs, ys].map((all) => tf.gather(all, [...ids])) as [tf.Tensor, tf.Tensor];
      await recorder.step(ids, () => model.trainOnBatch(x, y));
    }
    await recorder.endEpoch();
    ends.push(model.getWeights().map((weight) => weight.clone()));
  }
  await recorder.finish();
  return ends;
}

/** All that a run holds of each example. */
function contentOf(run: string) {
  const opened = Run.open(run);
  const rows = opened.stores.map((name) => {
    const store = GradientStoreReader.open(opened.storeDirectory(name));
    const all = Array.from({ length: EXAMPLES }, (_, id) => [...store.row(id)]);
    store.close();
    return [name, all] as const;
  });
  const manifest = { ...opened.manifest, created: null };
  return { rows, manifest, order: [...(opened.trainingOrder()?.batches() ?? [])] };
}

let ends: tf.Tensor[][];
beforeAll(async () => {
  ends = await train(options('whole'));
});

it.each([
  { stopAt: 2, kept: 0 },
  { stopAt: 7, kept: 1 },
  { stopAt: 13, kept: 2 },
  // An epoch that was done, of which the caller kept no weights.
  { stopAt: 11, kept: 1 },
])(
  'goes on with a loop that ended at step $stopAt from epoch $kept, to the same run',
  async ({ stopAt, kept }) => {
    const asked = options(`stopped-${stopAt}`);
    await train(asked, undefined, stopAt);
    expect(Run.open(asked.path).manifest.state).toBe('training');
    await train({ ...asked, resumeFrom: kept }, kept === 0 ? undefined : ends[kept - 1]);
    expect(contentOf(asked.path)).toEqual(contentOf(options('whole').path));
  },
);

it('begins a run that is not there, from epoch 0', async () => {
  const asked = { ...options('begun'), resumeFrom: 0 };
  await train(asked);
  expect(contentOf(asked.path)).toEqual(contentOf(options('whole').path));
});

it('refuses epochs that are not done, another run, something else, and sums; and leaves it as it is', async () => {
  const asked = options('refused');
  await train(asked, undefined, 7);
  const before = fs.readdirSync(asked.path, { recursive: true });
  const refused = async (more: Partial<TrainingRecorderOptions>) =>
    train({ ...asked, resumeFrom: 1, ...more }).catch((error: unknown) => error);
  expect(await refused({ resumeFrom: 2 })).toMatchObject({ option: 'resumeFrom', value: 2 });
  expect(await refused({ resumeFrom: -1 })).toBeInstanceOf(InvalidOptionError);
  expect(await refused({ projectionDim: 4 })).toBeInstanceOf(RunMismatchError);
  expect(await refused({ scaleByLearningRate: true })).toMatchObject({ what: 'scaledByLearningRate' });
  expect(await refused({ accumulate: true })).toMatchObject({ option: 'accumulate' });
  expect(fs.readdirSync(asked.path, { recursive: true })).toEqual(before);
  const other = path.join(directory, 'other');
  fs.mkdirSync(other);
  fs.writeFileSync(path.join(other, 'notes.txt'), 'mine');
  expect(await refused({ path: other, resumeFrom: 0 })).toBeInstanceOf(RunExistsError);
});
