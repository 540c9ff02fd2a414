import path from 'node:path';
import type { Run } from '../../../lib/run/run';
import { GradientStoreWriter } from '../../../lib/store/writer';
import { meanDirection, opposingInfluence, selfInfluence } from '../../../scripts/demo/influence';
import { temporaryDirectory } from '../../support/temporary-directory';

const directory = temporaryDirectory();

/** As much of a run as is read: two stores of three rows of two numbers. */
async function runOf(stores: Record<string, number[][]>): Promise<Run> {
  for (const [name, rows] of Object.entries(stores)) {
    const columns = [{ layer: 'a', width: 2 }];
    const layout = { rows: rows.length, dtype: 'float32' as const, columns };
    const writer = GradientStoreWriter.create(path.join(directory, name), layout);
    writer.write(
      Int32Array.from(rows, (_, i) => i),
      Float32Array.from(rows.flat()),
    );
    await writer.close();
  }
  const storeDirectory = (name = '') => path.join(directory, name);
  return { stores: Object.keys(stores), storeDirectory, manifest: { examples: 3 } } as unknown as Run;
}

it('sums squared norms and inner products over stores', async () => {
  const run = await runOf({
    first: [
      [3, 4],
      [1, 0],
      [0, 0],
    ],
    second: [
      [0, 1],
      [2, 2],
      [0, -1],
    ],
  });
  expect([...selfInfluence(run, ['first'])]).toEqual([25, 1, 0]);
  expect([...selfInfluence(run, run.stores)]).toEqual([26, 9, 1]);
  // One query, of unit length [0, 1].
  expect([...opposingInfluence(run, run.stores, [Float32Array.of(0, 7)])]).toEqual([-5, -2, 1]);
});

it('lets each query count alike, and one without a gradient not at all', () => {
  const mean = meanDirection([
    Float32Array.of(10, 0),
    Float32Array.of(0, 0.5),
    Float32Array.of(0, 0),
    Float32Array.of(0, -2),
  ]);
  expect([...mean]).toEqual([0.25, 0]);
});
