import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { Run } from '../callbacks';
import { MultiHeadAttention } from './support/multi-head-attention';
import { examplesOf, runExamples } from './support/run-examples';
import { temporaryDirectory } from './support/temporary-directory';

const BLOCKS = examplesOf('README.md');

/** What the README's examples take as given. */
function givens() {
  const model = tf.sequential({
    layers: [
      tf.layers.flatten({ inputShape: [4, 4, 1] }),
      tf.layers.dense({ units: 3, activation: 'softmax', name: 'dense' }),
    ],
  });
  model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
  const xs = tf.randomNormal([12, 4, 4, 1], 0, 1, 'float32', 1);
  const ys = tf.oneHot(tf.range(0, 12, 1, 'int32').mod(tf.scalar(3, 'int32')).toInt(), 3).toFloat();
  const examples = tf.tidy(() =>
    (xs.arraySync() as number[][][][]).map((image, i) => ({
      xs: image,
      ys: (ys.arraySync() as number[][])[i]!,
    })),
  );
  const batches = [0, 6].map((first) => ({
    ids: [0, 1, 2, 3, 4, 5].map((i) => first + i),
    xs: xs.slice(first, 6),
    ys: ys.slice(first, 6),
  }));
  const transformer = tf.sequential({
    layers: [
      tf.layers.inputLayer({ inputShape: [4, 6] }),
      new MultiHeadAttention(2, 6, 'attention'),
      tf.layers.flatten(),
      tf.layers.dense({ units: 3, activation: 'softmax' }),
    ],
  });
  transformer.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
  const sequences = tf.randomNormal([12, 4, 6], 0, 1, 'float32', 2);
  const sequence = sequences.slice(0, 1);
  return {
    transformer,
    sequences,
    sequence,
    model,
    xs,
    ys,
    digit: xs.slice(0, 1),
    label: ys.slice(0, 1),
    examples,
    batches,
  };
}

const directory = temporaryDirectory();

it('runs every TypeScript example of the README', async () => {
  const here = process.cwd();
  process.chdir(directory);
  let printed: unknown[][];
  try {
    printed = await runExamples(BLOCKS, givens());
  } finally {
    process.chdir(here);
  }
  expect(BLOCKS.length).toBe(7);
  for (const run of ['digits', 'heads', 'stream', 'loop', 'minimize']) {
    expect(Run.open(path.join(directory, 'runs', run)).manifest).toMatchObject({
      state: 'complete',
      examples: 12,
    });
  }
  expect(printed.find(([what]) => what === 'by head')?.[1]).toHaveLength(3);
  expect(printed.filter(([what]) => what === 'loss')).toHaveLength(2);
  expect(printed).toContainEqual([[1, 3, 17]]);
  const scores = printed.filter(
    ([example, score]) => typeof example === 'number' && typeof score === 'number',
  );
  expect(scores).toHaveLength(3);
});
