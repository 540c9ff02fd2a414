import tf = require('@tensorflow/tfjs');
import { Attributor, EmptyQueryError, ModelMismatchError } from '../../callbacks';
import { batchLoss } from '../../lib/compiled-model';
import { relativeError, ROUNDING } from '../support/closeness';
import { denseCase, sequenceCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';
import { slice, trainRun } from '../support/trained-run';

const directory = temporaryDirectory();

describe('what is kept of a model between queries', () => {
  it('changes no answer', async () => {
    const trained = await trainRun(directory, denseCase, { projectionDim: 3, useOptimizerState: true });
    const { run, model } = trained;
    const kept = await Attributor.open(run);
    for (const query of [slice(trained, 0, 4), slice(trained, 7, 8)]) {
      const fresh = await Attributor.open(run);
      expect(await kept.queryRows(model, query)).toEqual(await fresh.queryRows(model, query));
      await fresh.close();
    }
    await kept.close();
  });

  it('is its layers and the digest of its weights: neither is found anew', async () => {
    const trained = await trainRun(directory, denseCase);
    const attributor = await Attributor.open(trained.run);
    const reads = jest.spyOn(trained.model, 'getWeights');
    await attributor.trace(trained.model, slice(trained, 0, 1));
    expect(reads).toHaveBeenCalledTimes(1);
    await attributor.trace(trained.model, slice(trained, 1, 3));
    expect(reads).toHaveBeenCalledTimes(1);
    await attributor.close();
  });

  it('ends when a weight is assigned: the same values are accepted again, others are not', async () => {
    const trained = await trainRun(directory, denseCase);
    const { run, model } = trained;
    const attributor = await Attributor.open(run);
    const query = slice(trained, 0, 1);
    const before = await attributor.trace(model, query);
    const weights = model.getWeights().map((weight) => weight.clone());
    model.setWeights(weights);
    expect(await attributor.trace(model, query)).toEqual(before);
    await model.trainOnBatch(query.xs, query.ys);
    await expect(attributor.trace(model, query)).rejects.toThrow(ModelMismatchError);
    model.setWeights(weights);
    expect(await attributor.trace(model, query)).toEqual(before);
    await attributor.close();
  });

  it('ends when layers are frozen, which the run was made with', async () => {
    const trained = await trainRun(directory, denseCase);
    const { run, model } = trained;
    const attributor = await Attributor.open(run);
    await attributor.trace(model, slice(trained, 0, 1));
    model.getLayer('hidden').trainable = false;
    await expect(attributor.trace(model, slice(trained, 0, 1))).rejects.toThrow(ModelMismatchError);
    model.getLayer('hidden').trainable = true;
    expect(await attributor.trace(model, slice(trained, 0, 1))).toHaveLength(1);
    await attributor.close();
  });

  it('is freed on closing, does not grow from query to query, and is there again after closing', async () => {
    const trained = await trainRun(directory, sequenceCase, { projectionDim: 2, useOptimizerState: true });
    const { run, model } = trained;
    const query = slice(trained, 0, 2);
    const attributor = await Attributor.open(run);
    const before = tf.memory().numTensors;
    const rows = await attributor.queryRows(model, query);
    const kept = tf.memory().numTensors;
    expect(kept).toBeGreaterThan(before); // projection matrices
    for (let i = 0; i < 20; i++) await attributor.queryRows(model, query);
    expect(tf.memory().numTensors).toBe(kept);
    await attributor.close();
    expect(tf.memory().numTensors).toBe(before);
    const again = await Attributor.open(run);
    expect(await again.queryRows(model, query)).toEqual(rows);
    await again.close();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('is nothing of a model that was refused', async () => {
    const trained = await trainRun(directory, denseCase);
    const other = denseCase.build();
    const attributor = await Attributor.open(trained.run);
    const before = tf.memory().numTensors;
    await expect(attributor.queryRows(other, slice(trained, 0, 1))).rejects.toThrow(ModelMismatchError);
    expect(tf.memory().numTensors).toBe(before + 2); // the query's own slices
    await attributor.close();
  });
});

it('gives a loss the sum of the gradients of what it sums', async () => {
  const trained = await trainRun(directory, denseCase);
  const { run, model } = trained;
  const attributor = await Attributor.open(run);
  const [one, other] = [slice(trained, 0, 1), slice(trained, 1, 2)];
  const [left, right] = await attributor.queryRows(model, slice(trained, 0, 2));
  const [both] = await attributor.queryRows(model, () =>
    tf.add(batchLoss(model, one), batchLoss(model, other)),
  );
  const expected = left!.map((value, i) => value + right![i]!);
  expect(relativeError(both!, expected)).toBeLessThan(ROUNDING);
  await attributor.close();
});

it('refuses a batch of no examples, and no rows', async () => {
  const trained = await trainRun(directory, denseCase);
  const attributor = await Attributor.open(trained.run);
  await expect(attributor.trace(trained.model, slice(trained, 0, 0))).rejects.toThrow(EmptyQueryError);
  await expect(attributor.search([])).rejects.toThrow(/at least one example or row, found none/);
  await attributor.close();
});
