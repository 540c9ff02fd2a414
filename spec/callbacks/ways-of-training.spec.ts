import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { GradientStoreReader, Run } from '../../callbacks';
import { findAttributedLayers } from '../../lib/capture/attributed-layers';
import { batchLoss } from '../../lib/compiled-model';
import { batchOfOneGradients } from '../reference/batch-of-one';
import { expectUnchanged, relativeError, ROUNDING } from '../support/closeness';
import { denseCase, twoByTwoCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';
import { gatherBatch, unwrap, WAYS_OF_TRAINING, type Data } from '../support/ways-of-training';

const EXAMPLES = 11;
const BATCH_SIZE = 4; // the last batch of each epoch is ragged

const directory = temporaryDirectory();
let runs = 0;
const newPath = () => path.join(directory, `run-${runs++}`);

const CASES = [
  {
    name: denseCase.name,
    build: denseCase.build,
    data: (examples: number): Data => {
      const { xs, ys } = denseCase.data(examples);
      return { xs: [xs], ys: [ys] };
    },
  },
  twoByTwoCase,
];

function weightsOf(model: tf.LayersModel): number[][] {
  return model.getWeights().map((weight) => Array.from(weight.dataSync()));
}

/**
 * Trains a new model step by step in the order that the run recorded, and compares each step's rows with those that a
 * loop over its examples, one at a time, gives just before. Returns the model.
 */
async function replay(run: Run, build: () => tf.LayersModel, data: Data): Promise<tf.LayersModel> {
  const model = build();
  const parts = findAttributedLayers(model, { includeBias: true }).flatMap((layer) => layer.parts);
  const stores = new Map(
    run.stores.map((name) => [name, GradientStoreReader.open(run.storeDirectory(name))]),
  );
  for (const { epoch, examples } of run.trainingOrder()?.batches() ?? []) {
    const batch = gatherBatch(data, examples);
    const loss = (of: tf.LayersModel, tensors: tf.Tensor[]) =>
      batchLoss(of, { xs: tensors.slice(0, batch.xs.length), ys: tensors.slice(batch.xs.length) });
    const oracle = batchOfOneGradients(model, parts, loss, [...batch.xs, ...batch.ys]);
    examples.forEach((example, i) => {
      const expected = parts.flatMap((part) => Array.from(oracle.get(part.path)?.[i] ?? []));
      const row = stores.get(`epoch_${epoch}`)?.row(example) ?? [];
      expect(relativeError(row, expected)).toBeLessThan(ROUNDING);
    });
    await model.trainOnBatch(unwrap(batch.xs), unwrap(batch.ys));
    tf.dispose([batch.xs, batch.ys]);
  }
  for (const store of stores.values()) store.close();
  return model;
}

describe.each(WAYS_OF_TRAINING)('training by $name', ({ train }) => {
  describe.each(CASES)('$name', ({ build, data }) => {
    it.each([false, true])(
      'writes the rows a batch-of-one loop gives, step by step in the recorded order (shuffle %s)',
      async (shuffle) => {
        const model = build();
        const examples = data(EXAMPLES);
        const options = { path: newPath(), projectionDim: 'exact', trackOrder: true, index: false } as const;
        await train(model, examples, { epochs: 2, batchSize: BATCH_SIZE, shuffle }, options);

        const run = Run.open(options.path);
        expect(run.manifest).toMatchObject({
          state: 'complete',
          examples: EXAMPLES,
          epochs: [0, 1].map((epoch) => ({ epoch, steps: 3, rows: EXAMPLES })),
        });
        const seen = [...(run.trainingOrder()?.batches() ?? [])];
        expect(seen.map(({ examples: { length } }) => length)).toEqual([4, 4, 3, 4, 4, 3]);
        const first = seen.slice(0, 3).flatMap((batch) => Array.from(batch.examples));
        const inOrder = Array.from({ length: EXAMPLES }, (_, i) => i);
        if (shuffle) expect(first).not.toEqual(inOrder);
        expect(shuffle ? first.sort((a, b) => a - b) : first).toEqual(inOrder);
        const replayed = await replay(run, build, examples);
        weightsOf(replayed).forEach((expected, i) => {
          expect(relativeError(weightsOf(model)[i] ?? [], expected)).toBeLessThan(ROUNDING);
        });
      },
    );

    it.each([false, true])(
      'ends with the same weights as without recording, to the bit (optimizer state %s)',
      async (useOptimizerState) => {
        const [recorded, untouched] = [build(), build()];
        const examples = data(EXAMPLES);
        const schedule = { epochs: 2, batchSize: BATCH_SIZE, shuffle: false };
        await train(recorded, examples, schedule, { path: newPath(), index: false, useOptimizerState });
        await train(untouched, examples, schedule, null);
        expectUnchanged(weightsOf(recorded), weightsOf(untouched));
      },
    );

    it('leaves no tensors behind', async () => {
      const examples = data(EXAMPLES);
      const before = tf.memory().numTensors;
      const model = build();
      const schedule = { epochs: 2, batchSize: BATCH_SIZE, shuffle: true };
      await train(model, examples, schedule, { path: newPath(), index: false, useOptimizerState: true });
      model.optimizer.dispose();
      model.dispose();
      expect(tf.memory().numTensors).toBe(before);
    });
  });
});
