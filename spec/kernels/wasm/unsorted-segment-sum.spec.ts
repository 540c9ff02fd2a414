import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import { expectSameOnCpu, useWasm, values } from './against-cpu';

useWasm();

describe('UnsortedSegmentSum on wasm', () => {
  it('adds up the rows that share an id, and drops ids that are no segment', async () => {
    const shapes = fc.record({
      rows: fc.integer({ min: 1, max: 12 }),
      rest: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 2 }),
      segments: fc.integer({ min: 1, max: 6 }),
      seed: fc.integer({ min: 0, max: 1000 }),
    });
    await fc.assert(
      fc.asyncProperty(shapes, async ({ rows, rest, segments, seed }) => {
        const ids = Int32Array.from({ length: rows }, (_, row) => ((row * 7 + seed) % (segments + 2)) - 1);
        await expectSameOnCpu(() =>
          tf.tidy(() =>
            tf.unsortedSegmentSum(
              tf.tensor(values([rows, ...rest], seed), [rows, ...rest]),
              tf.tensor1d(ids, 'int32'),
              segments,
            ),
          ),
        );
      }),
      { numRuns: 40 },
    );
  });

  it('is the gradient of gather', async () => {
    await expectSameOnCpu(() =>
      tf.tidy(() => {
        const ids = tf.tensor2d([2, 0, 2, 1, 2, 2], [2, 3], 'int32');
        const table = tf.tensor2d(values([4, 5], 1), [4, 5]);
        return tf.grad((x) => tf.sum(tf.square(tf.gather(x, ids))))(table);
      }),
    );
  });
});
