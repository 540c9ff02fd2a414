import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { Attributor, collectGradients, GradientCollector, scoreBatches } from '../../callbacks';
import { batchLoss } from '../../lib/compiled-model';
import type { LossBatch } from '../../lib/run/loss-batch';
import { relativeError, ROUNDING } from '../support/closeness';
import { denseCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';

const directory = temporaryDirectory();
const EXAMPLES = 20;
const projection = { projectionDim: 3, seed: 4 };

/** The data in batches of 8, from the last to the first; counts how many were computed. */
function batchesOf(model: tf.LayersModel, computed: { count: number }): LossBatch[] {
  const { xs, ys } = denseCase.data(EXAMPLES);
  return [16, 8, 0].map((first) => {
    const size = Math.min(8, EXAMPLES - first);
    return {
      ids: Int32Array.from({ length: size }, (_, i) => first + i),
      loss: () => {
        computed.count++;
        return batchLoss(model, { xs: xs.slice(first, size), ys: ys.slice(first, size) }).mul<tf.Scalar>(
          size,
        );
      },
      dispose: () => {
        if (first === 0) tf.dispose([xs, ys]);
      },
    };
  });
}

/** Scores in row order of one score a row. */
function scoresIn(file: string): number[] {
  const bytes = fs.readFileSync(path.join(file, 'scores.bin'));
  return Array.from({ length: EXAMPLES }, (_, row) => {
    expect(bytes[8 * row + 4]).toBe(1);
    return bytes.readFloatLE(8 * row);
  });
}

it('scores data in one pass as a store of its gradients would be, and keeps no gradient', async () => {
  const model = denseCase.build();
  const before = tf.memory().numTensors;
  const computed = { count: 0 };
  const run = path.join(directory, 'run');
  await collectGradients(model, batchesOf(model, computed), { path: run, index: false, ...projection });
  const attributor = await Attributor.open(run);
  const rows = [attributor.row(2), attributor.row(5)];

  const out = path.join(directory, 'scores');
  const options = { path: out, exampleCount: EXAMPLES, aggregate: 'mean' as const, ...projection };
  expect(await scoreBatches(model, batchesOf(model, computed), rows, options)).toBe(EXAMPLES);
  const [trace] = await attributor.search(rows, { k: EXAMPLES, aggregate: 'mean' });
  const expected = trace!.highest.toSorted((a, b) => a.example - b.example).map(({ score }) => score);
  expect(relativeError(scoresIn(out), expected)).toBeLessThan(ROUNDING);
  expect(fs.readdirSync(out).sort()).toEqual(['info.json', 'scores.bin', 'scores.msgpack']);
  await attributor.close();
  expect(tf.memory().numTensors).toBe(before);
  model.dispose();
});

it('goes on where it was stopped, without computing again what it scored', async () => {
  const model = denseCase.build();
  const collector = new GradientCollector(model, { ...projection, lossReduction: 'sum' });
  const { xs, ys } = denseCase.data(1);
  const { loss, gradients } = collector.run(() => batchLoss(model, { xs, ys }));
  const query = await collector.rows(gradients, 1);
  tf.dispose([loss, xs, ys]);
  collector.dispose();

  const out = path.join(directory, 'stopped');
  const computed = { count: 0 };
  const options = { path: out, exampleCount: EXAMPLES, ...projection };
  const stopped = scoreBatches(model, batchesOf(model, computed), [query], {
    ...options,
    onProgress: () => {
      throw new Error('stopped');
    },
  });
  await expect(stopped).rejects.toThrow('stopped');
  expect(computed.count).toBe(1);
  expect(await scoreBatches(model, batchesOf(model, computed), [query], options)).toBe(16);
  expect(computed.count).toBe(3);
  const whole = path.join(directory, 'whole');
  await scoreBatches(model, batchesOf(model, computed), [query], { ...options, path: whole });
  expect(scoresIn(out)).toEqual(scoresIn(whole));
  model.dispose();
});
