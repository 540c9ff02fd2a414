import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { collectGradients, TrainingRecorder } from '../../callbacks';
import * as errors from '../../lib/errors';
import { autocorrelationOf, type Autocorrelation } from '../../lib/preconditioners/autocorrelation';
import { readCollected } from '../../lib/preconditioners/collected-autocorrelation';
import { fitPreconditioner } from '../../lib/preconditioners/fit';
import { preconditionerPaths } from '../../lib/preconditioners/preconditioner-files';
import { Run } from '../../lib/run/run';
import { GradientStoreReader } from '../../lib/store/reader';
import { BATCHES, lossBatches } from '../run/frozen-model';
import { relativeError } from '../support/closeness';
import { runBergson } from '../support/run-bergson';
import { denseCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';
import { trainRun } from '../support/trained-run';

const directory = temporaryDirectory();
let runs = 0;
const newPath = () => path.join(directory, `run-${runs++}`);

/** Sums of a few dozen products in double precision, in another order. */
const DOUBLE = 1e-13;

/** Opens a store, and closes it again. */
async function withStore<T>(place: string, use: (store: GradientStoreReader) => T | Promise<T>): Promise<T> {
  const store = GradientStoreReader.open(place);
  try {
    return await use(store);
  } finally {
    store.close();
  }
}

function expectAlike(found: Autocorrelation | undefined, expected: Autocorrelation): void {
  expect(found?.examples).toBe(expected.examples);
  expect(found?.columns).toEqual(expected.columns);
  expected.matrices.forEach((matrix, i) => {
    expect(Math.max(...matrix)).toBeGreaterThan(0);
    expect(relativeError(found?.matrices[i] ?? [], matrix)).toBeLessThan(DOUBLE);
  });
}

it.each(['float32', 'float16'] as const)('is that of each epoch’s rows as they lie in %s', async (dtype) => {
  const { run } = await trainRun(directory, denseCase, { dtype, autocorrelation: true });
  const opened = Run.open(run);
  expect(opened.stores).toEqual(['epoch_0', 'epoch_1']);
  for (const name of opened.stores) {
    await withStore(opened.storeDirectory(name), async (store) => {
      expectAlike(readCollected(store), await autocorrelationOf(store));
    });
  }
});

it('is that of the sums where epochs are summed', async () => {
  const { run } = await trainRun(directory, denseCase, { accumulate: true, autocorrelation: true });
  await withStore(Run.open(run).storeDirectory(), async (store) => {
    expect(store.manifest?.sources).toEqual(['epoch_0', 'epoch_1']);
    expectAlike(readCollected(store), await autocorrelationOf(store));
  });
});

it('makes the preconditioner without a pass over the rows, unless that is asked for', async () => {
  const { run } = await trainRun(directory, denseCase, { autocorrelation: true });
  const precondition = (...more: string[]) => runBergson(['precondition', run, ...more]);
  expect(precondition().stdout.replace(/\s+/g, ' ')).toContain(
    'fitted to what was summed while they were collected (--force reads the rows) over 20 rows',
  );
  await withStore(Run.open(run).storeDirectory(), async (store) => {
    const summed = await fitPreconditioner(store, { damping: 0.2 });
    const read = await fitPreconditioner(store, { damping: 0.2, force: true });
    expect([summed.readRows, read.readRows]).toEqual([false, true]);
    summed.preconditioner.decomposition.spectra.forEach(({ values }, i) => {
      expect(relativeError(values, read.preconditioner.decomposition.spectra[i]?.values ?? [])).toBeLessThan(
        1e-12,
      );
    });
    expect(JSON.parse(precondition('--force', '--json').stdout)).toMatchObject({
      fitted: true,
      readRows: true,
    });
  });
});

it('is not kept of an epoch in which a row was replaced', async () => {
  const model = denseCase.build();
  const { xs, ys } = denseCase.data(4);
  const run = newPath();
  const recorder = TrainingRecorder.start(model, { path: run, index: false, autocorrelation: true });
  for (const [epoch, steps] of [
    [
      [0, 1, 2, 3],
      [3, 2, 1, 0],
    ],
    [[0, 1, 2, 3]],
  ].entries()) {
    recorder.beginEpoch(epoch);
    for (const ids of steps) await recorder.step(ids, () => model.trainOnBatch(xs, ys));
    await recorder.endEpoch();
  }
  await recorder.finish();
  const opened = Run.open(run);
  await withStore(opened.storeDirectory('epoch_0'), async (store) => {
    expect(store.manifest?.rewritten).toBe(4);
    expect(readCollected(store)).toBeUndefined();
    expect(await fitPreconditioner(store)).toMatchObject({ fitted: true, readRows: true });
  });
  await withStore(opened.storeDirectory('epoch_1'), (store) => {
    expect(readCollected(store)?.examples).toBe(4);
  });
  tf.dispose([xs, ys]);
});

it('counts the rows that a killed pass over a frozen model left', async () => {
  const model = denseCase.build();
  const run = newPath();
  const options = { path: run, index: false, autocorrelation: true };
  function* broken() {
    let done = 0;
    for (const batch of lossBatches(model, BATCHES)) {
      if (done++ === 3) throw new Error('killed');
      yield batch;
    }
  }
  await expect(collectGradients(model, broken(), options)).rejects.toThrow('killed');
  const { computed, found } = await collectGradients(model, lossBatches(model, BATCHES), options);
  expect({ computed, found }).toEqual({ computed: 9, found: 15 });
  await withStore(Run.open(run).storeDirectory(), async (store) => {
    expectAlike(readCollected(store), await autocorrelationOf(store));
  });
});

it('is as good as none where its file is damaged', async () => {
  const { run } = await trainRun(directory, denseCase, { epochs: 1, autocorrelation: true });
  await withStore(Run.open(run).storeDirectory(), async (store) => {
    const { autocorrelation } = preconditionerPaths(store.directory);
    fs.truncateSync(autocorrelation, fs.statSync(autocorrelation).size - 8);
    expect(() => readCollected(store)).toThrow(errors.PreconditionerMismatchError);
    expect(await fitPreconditioner(store)).toMatchObject({ readRows: true });
  });
});
