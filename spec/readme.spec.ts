import fs from 'node:fs';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import ts from 'typescript';
import * as bergson from '../callbacks';
import { temporaryDirectory } from './support/temporary-directory';

const README = fs.readFileSync(path.join(__dirname, '..', 'README.md'), 'utf8');
const BLOCKS = [...README.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code ?? '');
const MODULES: Record<string, unknown> = { 'tfjs-bergson': bergson, '@tensorflow/tfjs': tf };

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
  return { model, xs, ys, digit: xs.slice(0, 1), label: ys.slice(0, 1), examples, batches };
}

const directory = temporaryDirectory();

it('runs every TypeScript example of the README', async () => {
  const here = process.cwd();
  process.chdir(directory);
  const printed: unknown[][] = [];
  const console = {
    log: (...values: unknown[]) => {
      printed.push(values);
    },
  };
  const names = givens();
  try {
    for (const block of BLOCKS) {
      const options = {
        module: ts.ModuleKind.CommonJS,
        target: ts.ScriptTarget.ES2022,
        esModuleInterop: true,
      };
      const { outputText } = ts.transpileModule(block, { compilerOptions: options });
      const parameters = ['require', 'exports', 'console', ...Object.keys(names)];
      // eslint-disable-next-line @typescript-eslint/no-implied-eval -- running the README is the point
      const run = new Function(...parameters, `return (async () => {${outputText}})();`) as (
        ...given: unknown[]
      ) => Promise<void>;
      await run((name: string) => MODULES[name], {}, console, ...Object.values(names));
    }
  } finally {
    process.chdir(here);
  }
  expect(BLOCKS.length).toBe(6);
  for (const run of ['digits', 'stream', 'loop', 'minimize']) {
    expect(bergson.Run.open(path.join(directory, 'runs', run)).manifest).toMatchObject({
      state: 'complete',
      examples: 12,
    });
  }
  expect(printed.filter(([what]) => what === 'loss')).toHaveLength(2);
  expect(printed).toContainEqual([[1, 3, 17]]);
  const scores = printed.filter(
    ([example, score]) => typeof example === 'number' && typeof score === 'number',
  );
  expect(scores).toHaveLength(3);
});
