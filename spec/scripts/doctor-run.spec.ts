import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { GradientCollectorCallback, prepareForGradientCollection, type RunOptions } from '../../callbacks';
import type { RunDiagnosis } from '../../scripts/doctor/run-diagnosis';
import type { RunManifest } from '../../lib/run/run-manifest';
import { trustLines } from '../../scripts/doctor/trust-report';
import { runBergson } from '../support/run-bergson';
import { denseCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';

const directory = temporaryDirectory();
let runs = 0;

async function train(options: Partial<RunOptions> = {}, optimizer?: tf.Optimizer): Promise<string> {
  const run = path.join(directory, `run-${runs++}`);
  const model = denseCase.build();
  if (optimizer !== undefined) model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  prepareForGradientCollection(model);
  const { xs, ys } = denseCase.data(20);
  const collector = new GradientCollectorCallback({ path: run, trackOrder: true, ...options });
  await model.fit(xs, ys, { epochs: 2, batchSize: 8, verbose: 0, callbacks: [collector] });
  return run;
}

class Fail extends tf.Callback {
  override onBatchEnd(batch: number): Promise<void> {
    return batch === 1 ? Promise.reject(new Error('no more')) : Promise.resolve();
  }
}

function diagnose(run: string): RunDiagnosis {
  const { code, stdout } = runBergson(['doctor', run, '--json']);
  expect(code).toBe(0);
  return JSON.parse(stdout) as RunDiagnosis;
}

it('says that all of a model is attributed, and what else the run knows', async () => {
  const run = await train();
  const { code, stdout } = runBergson(['doctor', run]);
  expect(code).toBe(0);
  expect(stdout).toContain(`${run} is a complete run of 2 finished epochs over 20`);
  expect(stdout).toMatch(/^training +Adam, loss categoricalCrossentropy$/m);
  expect(stdout).toMatch(/^epochs +epochs 0 to 1, 6 steps, 20 rows in the last$/m);
  expect(stdout).toMatch(/^order +6 steps$/m);
  expect(stdout).toMatch(
    /^rows +float32, projected to 16 a side \(rademacher, seed 0\), not normalized, biases included$/m,
  );
  expect(stdout).toMatch(/epoch_0 +│ complete │ +20 │ +75 │ none: searched exactly/);
  expect(stdout).toMatch(/epoch_1 +│ complete │ +20 │ +75 │ (recall@10 1\.000, at least 0\.\d{3}|none)/);
  expect(stdout).toMatch(/hidden │ Dense │ +48 │ +48 │ +48 │/);
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('100 % of 75 trained parameters are attributed.');
  expect(stdout).not.toContain('\u001b');
});

it('says loudly which parameters are not attributed, and why', async () => {
  const run = await train({ layers: ['head'], includeBias: false, index: false });
  const { stdout } = runBergson(['doctor', run]);
  expect(stdout).toMatch(/hidden │ Dense │ +48 │ +48 │ +0 │ not selected by `layers`/);
  expect(stdout.trimEnd().split('\n').slice(-3)).toEqual([
    '51 of 75 trained parameters are NOT attributed; 32.0 % are. Missing:',
    '  hidden (Dense): 48, not selected by `layers`; bias left out by `includeBias`',
    '  head (Dense): 3, bias left out by `includeBias`',
  ]);
});

it('says by what gradients are divided, also if it is nothing', async () => {
  const options = { useOptimizerState: true, scaleByLearningRate: true, index: false };
  const { stdout } = runBergson(['doctor', await train(options, tf.train.momentum(0.1, 0.9))]);
  expect(stdout).toMatch(
    /normalized by nothing \(identity\), as Momentum divides gradients by nothing, multiplied by the step’s learning rate, biases/,
  );
});

it('says the same as JSON', async () => {
  const run = await train({ useOptimizerState: true, dtype: 'float16', layers: ['head'] });
  const diagnosis = diagnose(run);
  expect(diagnosis).toMatchObject({
    run,
    state: 'complete',
    examples: 20,
    dtype: 'float16',
    normalizer: 'adam',
    optimizer: 'Adam',
    order: { steps: 6, tornBytes: 0 },
    epochs: [0, 1].map((epoch) => ({ epoch, steps: 3, rows: 20 })),
    coverage: {
      attributed: 27,
      trained: 75,
      layers: [
        { path: 'hidden', attributed: 0, reason: 'not selected by `layers`' },
        { path: 'head', attributed: 27, reason: null },
      ],
    },
  });
  expect(diagnosis.stores.map(({ name, rowsWritten, width }) => [name, rowsWritten, width])).toEqual([
    ['epoch_0', 20, 27],
    ['epoch_1', 20, 27],
  ]);
});

it('says of an index that cannot be used what is wrong with it', async () => {
  const run = await train();
  const store = path.join(run, 'train', 'epoch_1', 'index');
  fs.truncateSync(path.join(store, 'projected.bin'), 10);
  const [, { index } = {}] = diagnose(run).stores;
  expect(index).toMatchObject({ recall: null, used: false });
  expect(index?.problem).toMatch(/projected\.bin/);
});

it('says of a run that ended early how far it came', async () => {
  const run = path.join(directory, `run-${runs++}`);
  const model = prepareForGradientCollection(denseCase.build());
  const { xs, ys } = denseCase.data(20);
  const collector = new GradientCollectorCallback({ path: run });
  await expect(
    model.fit(xs, ys, { epochs: 2, batchSize: 8, verbose: 0, callbacks: [new Fail(), collector] }),
  ).rejects.toThrow('no more');
  const { stdout } = runBergson(['doctor', run]);
  expect(stdout).toMatch(/is an unfinished run/);
  expect(stdout).toMatch(/^epochs +none is finished$/m);
  expect(stdout).toMatch(/epoch_0 +│ interrupted │ +8 of 20 │/);
});

it('is an error for a directory that is not a run', () => {
  const { code, stderr } = runBergson(['doctor', directory]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^bergson: .* is not a run: it holds no run\.msgpack/);
});

describe('how far to trust a run', () => {
  const question = (run: string, asked: string) =>
    diagnose(run).trust.find((line) => line.question === asked);

  it('has the gradients of a few examples checked, and keeps that', async () => {
    const run = await train();
    const examples = path.join(directory, 'examples.jsonl');
    const { xs, ys } = denseCase.data(6);
    const [x, y] = [xs.arraySync() as number[][], ys.arraySync() as number[][]];
    fs.writeFileSync(examples, x.map((each, i) => JSON.stringify({ x: each, y: y[i] })).join('\n'));
    expect(question(run, 'gradients against finite differences')).toEqual({
      question: 'gradients against finite differences',
      finding: 'not checked; --examples FILE does',
      verdict: 'unknown',
    });
    const { code, stdout } = runBergson(['doctor', run, '--examples', examples]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /gradients against finite differences │ largest relative error \S+ \(.*4 examples\) +│ good/,
    );
    expect(stdout).toMatch(/rows whatever the batch +│ largest relative error .* │ good/);
    expect(question(run, 'gradients against batches of one')?.verdict).toBe('good');
  });

  it('doubts what is not whole, and says what float16 took', async () => {
    const run = await train({ layers: ['head'], dtype: 'float16', index: false });
    expect(question(run, 'coverage')?.verdict).toBe('doubtful');
    expect(question(run, 'rows')).toMatchObject({
      finding: '20 of 20 in epoch_1, which is complete',
      verdict: 'good',
    });
    const precision = question(run, 'precision of rows');
    expect(precision?.verdict).toBe('good');
    const lost = Number(/lost (\S+) of/.exec(precision?.finding ?? '')?.[1]);
    // Rounding to 11 bits takes at most 2^-22 of a number's square, and something of most numbers.
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThan(2 ** -22);
  });

  it('calls wrong gradients bad', () => {
    const manifest = { dtype: 'float32', coverage: { attributed: 1, trained: 1 } } as unknown as RunManifest;
    const check = {
      examples: 2,
      gradients: [{ path: 'head', differences: 0.3, alone: 0.2 }],
      batchInvariance: 0.1,
    };
    const verdicts = trustLines(manifest, undefined, check).map(({ question: asked, verdict }) => [
      asked,
      verdict,
    ]);
    expect(Object.fromEntries(verdicts)).toMatchObject({
      'gradients against finite differences': 'bad',
      'gradients against batches of one': 'bad',
      'rows whatever the batch': 'bad',
      rows: 'bad',
    });
  });

  it('judges the inverse curvature, if there is one', async () => {
    const run = await train({ index: false });
    expect(question(run, 'inverse curvature')).toBeUndefined();
    expect(runBergson(['precondition', run]).code).toBe(0);
    // 48 columns of the hidden layer, and no more than 20 examples that tell of them.
    const line = question(run, 'inverse curvature');
    expect(line?.finding).toMatch(
      /^damping 0\.1 of the mean eigenvalue, condition numbers up to \S+, of 20 examples for 48 columns$/,
    );
    expect(line?.verdict).toBe('doubtful');
  });

  it('takes examples only with a run', () => {
    expect(runBergson(['doctor', '--examples', 'x.jsonl']).code).toBe(2);
  });
});
