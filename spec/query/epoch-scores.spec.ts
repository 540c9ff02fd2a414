import tf = require('@tensorflow/tfjs');
import { Attributor, GradientCollectorCallback, prepareForGradientCollection } from '../../callbacks';
import { relativeError, ROUNDING } from '../support/closeness';
import { sequenceCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';
import { slice, trainRun } from '../support/trained-run';

const directory = temporaryDirectory();
const EXAMPLES = 20;

it.each([
  { name: 'all columns', options: {} },
  { name: 'two layers, rows at unit length', options: { layers: ['tokens', 'norm'], unitNorm: true } },
])('says what a hit scores in every epoch’s store: $name', async ({ options }) => {
  const trained = await trainRun(directory, sequenceCase, { epochs: 3, projectionDim: 3 });
  const attributor = await Attributor.open(trained.run);
  const rows = await attributor.queryRows(trained.model, slice(trained, 0, 2));
  const traces = await attributor.search(rows, { k: 4, epochs: true, ...options });
  for (const [query, trace] of traces.entries()) {
    for (const epoch of [0, 1, 2]) {
      const other = await Attributor.open(trained.run, { store: `epoch_${epoch}` });
      const [all] = await other.search([rows[query]!], { k: EXAMPLES, ...options });
      const scores = new Map(all!.highest.map((hit) => [hit.example, hit.score]));
      for (const hits of [trace.highest, trace.lowest]) {
        const found = hits.map((hit) => hit.epochs?.[epoch]?.score ?? NaN);
        const expected = hits.map((hit) => scores.get(hit.example)!);
        expect(relativeError(found, expected)).toBeLessThan(ROUNDING);
        expect(hits.map((hit) => hit.epochs?.[epoch]?.epoch)).toEqual(hits.map(() => epoch));
      }
      await other.close();
    }
  }
  await attributor.close();
});

it('says null for an example that an epoch never came to, and scores a mean of queries by their mean', async () => {
  class StopEarly extends tf.Callback {
    private batches = 0;
    override onBatchEnd(): Promise<void> {
      return this.batches++ === 4 ? Promise.reject(new Error('no more')) : Promise.resolve();
    }
  }
  const { run } = await interrupted(new StopEarly());
  const attributor = await Attributor.open(run, { store: 'epoch_0' });
  const rows = [attributor.row(1), attributor.row(2)];
  const [trace] = await attributor.search(rows, { k: EXAMPLES, aggregate: 'mean', epochs: true });
  expect(trace!.highest.filter((hit) => hit.epochs?.[1]?.score === null)).toHaveLength(EXAMPLES - 8);
  const own = trace!.highest.map((hit) => hit.epochs?.[0]?.score ?? NaN);
  expect(
    relativeError(
      own,
      trace!.highest.map(({ score }) => score),
    ),
  ).toBeLessThan(ROUNDING);
  await attributor.close();
});

/** A run that ends in the second step of its second epoch. */
async function interrupted(callback: tf.Callback): Promise<{ run: string }> {
  const run = `${directory}/interrupted`;
  const model = prepareForGradientCollection(sequenceCase.build());
  const { xs, ys } = sequenceCase.data(EXAMPLES);
  const callbacks = [callback, new GradientCollectorCallback({ path: run })];
  await expect(model.fit(xs, ys, { epochs: 2, batchSize: 8, verbose: 0, callbacks })).rejects.toThrow(
    'no more',
  );
  return { run };
}
