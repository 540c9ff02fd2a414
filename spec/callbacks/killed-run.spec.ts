import path from 'node:path';
import { Attributor, GradientStoreReader, Run } from '../../callbacks';
import { kill, printed, startChild } from '../support/child-process';
import { temporaryDirectory } from '../support/temporary-directory';

const directory = temporaryDirectory();
const STEPS_AN_EPOCH = 10;
const BATCH_SIZE = 4;

async function killAfter(step: number, name: string, ...args: string[]): Promise<string> {
  const run = path.join(directory, name);
  const child = startChild(path.join(__dirname, 'children', 'train.ts'), run, ...args);
  await printed(child, `step ${step} recorded`);
  await kill(child);
  return run;
}

it('keeps all but the batches in flight when training is killed, and opens and says what it holds', async () => {
  const path = await killAfter(24, 'killed');
  const run = Run.open(path);
  expect(run.manifest.state).toBe('training');
  expect(run.describe()).toMatch(/unfinished run.*finished epochs? over 40 examples/);

  const batches = [...(run.trainingOrder()?.batches() ?? [])];
  // 25 steps were over. The rows of the last may still have been on their way.
  expect(batches.length).toBeGreaterThanOrEqual(24);
  const last = run.stores.at(-1) ?? '';
  const store = GradientStoreReader.open(run.storeDirectory(last));
  const inLastEpoch = batches.filter(({ epoch }) => `epoch_${epoch}` === last).length;
  // Rows are written before the order: a kill between the two leaves one batch more of rows.
  expect([inLastEpoch * BATCH_SIZE, (inLastEpoch + 1) * BATCH_SIZE]).toContain(store.rowsWritten);
  store.close();

  const whole = await Attributor.open(path, { store: 'epoch_1' });
  expect(await whole.search([whole.row(7)], { k: 3 })).toHaveLength(1);
  await whole.close();
});

it('keeps every finished epoch in the sum when training that accumulates is killed', async () => {
  const path = await killAfter(2 * STEPS_AN_EPOCH + 4, 'accumulating', 'accumulate');
  const run = Run.open(path);
  expect(run.stores).toContain('accumulated');
  const sum = GradientStoreReader.open(run.storeDirectory('accumulated'));
  expect(sum.manifest?.sources.length).toBeGreaterThanOrEqual(2);
  expect(sum.rowsWritten).toBe(40);
  sum.close();
});
