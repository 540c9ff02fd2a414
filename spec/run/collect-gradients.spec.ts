import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import {
  Attributor,
  BatchAxisError,
  collectGradients,
  GradientStoreReader,
  NoExamplesError,
  NoGradientError,
  NonFiniteValueError,
  RepeatedExampleError,
  Run,
  RunExistsError,
  RunMismatchError,
  type CollectGradientsOptions,
  type LossBatch,
  type Normalizer,
} from '../../callbacks';
import { findAttributedLayers } from '../../lib/capture/attributed-layers';
import { writeRunManifest } from '../../lib/run/run-manifest';
import { batchOfOneGradients } from '../reference/batch-of-one';
import { kill, printed, startChild } from '../support/child-process';
import { relativeError, ROUNDING } from '../support/closeness';
import { runBergson } from '../support/run-bergson';
import { denseCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';
import { BATCHES, EXAMPLES, lossBatches, losses } from './frozen-model';

const directory = temporaryDirectory();
let runs = 0;
const newPath = () => path.join(directory, `run-${runs++}`);
const options = (more: Partial<CollectGradientsOptions> = {}): CollectGradientsOptions => ({
  path: newPath(),
  index: false,
  ...more,
});

let model: tf.LayersModel;
beforeAll(() => {
  model = denseCase.build();
});

/** The bytes of every file of the run but what says when it was begun. */
function bytesOf(run: string): Record<string, string> {
  const files = fs.readdirSync(run, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  const named = files.map((file) => path.join(file.parentPath, file.name));
  return Object.fromEntries(
    named
      .map((file) => [path.relative(run, file), fs.readFileSync(file).toString('hex')] as const)
      .filter(([name]) => name !== 'run.msgpack'),
  );
}

function rowsOf(run: Run): Float32Array[] {
  const store = GradientStoreReader.open(run.storeDirectory('static'));
  const rows = Array.from({ length: store.rows }, (_, example) => store.row(example));
  store.close();
  return rows;
}

it('writes the rows that a batch-of-one loop gives, at their examples’ places', async () => {
  const before = tf.memory().numTensors;
  const { run, computed, found, failed } = await collectGradients(
    model,
    lossBatches(model, BATCHES),
    options({ projectionDim: 'exact' }),
  );
  expect(tf.memory().numTensors).toBe(before);
  expect({ computed, found, failed }).toEqual({ computed: EXAMPLES, found: 0, failed: [] });
  expect(run.stores).toEqual(['static']);
  expect(run.manifest).toMatchObject({ state: 'complete', examples: EXAMPLES, epochs: [] });

  const { xs, ys } = denseCase.data(EXAMPLES);
  const parts = findAttributedLayers(model, { includeBias: true }).flatMap((layer) => layer.parts);
  const loss = (of: tf.LayersModel, [x, y]: tf.Tensor[]) =>
    losses(of, x as tf.Tensor, y as tf.Tensor).sum<tf.Scalar>();
  const oracle = batchOfOneGradients(model, parts, loss, [xs, ys]);
  rowsOf(run).forEach((row, example) => {
    const expected = parts.flatMap((part) => [...(oracle.get(part.path)?.[example] ?? [])]);
    expect(relativeError(row, expected)).toBeLessThan(ROUNDING);
  });
  tf.dispose([xs, ys]);
});

it('is searched, queried by its own model, described and indexed like any run', async () => {
  const { run } = await collectGradients(model, lossBatches(model, BATCHES), options({ index: true }));
  const attributor = await Attributor.open(run.path);
  const [batch] = lossBatches(model, [[5]]);
  const [trace] = await attributor.trace(model, (batch as LossBatch).loss, { k: 1 });
  batch?.dispose();
  // No example's gradient has a larger inner product with this one than its own, unless it is longer.
  const own = attributor.row(5).reduce((sum, value) => sum + value * value, 0);
  const all = await attributor.search([attributor.row(5)], { k: EXAMPLES });
  const score = all[0]?.highest.find(({ example }) => example === 5)?.score ?? NaN;
  expect(Math.abs(score - own) / own).toBeLessThan(ROUNDING);
  expect(trace?.highest[0]?.example).toBe(all[0]?.highest[0]?.example);
  await attributor.close();
  expect(run.describe()).toBe(`a complete run of one frozen model over ${EXAMPLES} examples`);
  const doctor = runBergson(['doctor', run.path]);
  expect(doctor.code).toBe(0);
  expect(doctor.stdout).toContain('a complete run of one frozen model');
  expect(doctor.stdout).toMatch(
    /^model +kept in the run\nloss +computed by a program\nattributed +examples$/m,
  );
  expect(runBergson(['index', run.path]).stdout).toMatch(/static: (indexed|the index is up to date)/);
});

it('goes on after a kill, computing only what is missing, to the bytes of a run that was not killed', async () => {
  const [whole, killed] = [newPath(), newPath()];
  await collectGradients(model, lossBatches(model, BATCHES), options({ path: whole }));
  const child = startChild(path.join(__dirname, 'children', 'collect.ts'), killed, '3');
  await printed(child, 'batch 2 done');
  await kill(child);
  expect(Run.open(killed).describe()).toMatch(/^an unfinished run of one frozen model/);
  const store = path.join(killed, 'train', 'static');
  expect(GradientStoreReader.open(store)).toMatchObject({ state: 'interrupted', rowsWritten: 15 });

  const { computed, found } = await collectGradients(
    model,
    lossBatches(model, BATCHES),
    options({ path: killed }),
  );
  expect({ computed, found }).toEqual({ computed: 9, found: 15 });
  expect(bytesOf(killed)).toEqual(bytesOf(whole));
});

/** A run that was killed with only the rows of `examples` written. */
async function interrupted(examples: readonly number[], more: Partial<CollectGradientsOptions> = {}) {
  const asked = options(more);
  const { run } = await collectGradients(model, lossBatches(model, BATCHES), asked);
  writeRunManifest(run.path, { ...run.manifest, state: 'collecting' });
  const store = run.storeDirectory('static');
  fs.rmSync(path.join(store, 'store.msgpack'));
  fs.rmSync(path.join(store, 'norms.safetensors'));
  const width = GradientStoreReader.open(store).width;
  const gradients = fs.openSync(path.join(store, 'gradients.bin'), 'r+');
  const written = fs.openSync(path.join(store, 'written.bin'), 'r+');
  for (let example = 0; example < EXAMPLES; example++) {
    if (examples.includes(example)) continue;
    fs.writeSync(gradients, new Uint8Array(4 * width).fill(7), 0, 4 * width, 4 * width * example);
    fs.writeSync(written, new Uint8Array(1), 0, 1, example);
  }
  fs.closeSync(gradients);
  fs.closeSync(written);
  return asked;
}

it('computes a batch again of which some rows are missing, and only that', async () => {
  const whole = options();
  await collectGradients(model, lossBatches(model, BATCHES), whole);
  const missing = [4, 5, 23];
  const asked = await interrupted([...Array(EXAMPLES).keys()].filter((id) => !missing.includes(id)));
  const batches: boolean[] = [];
  const { computed, found } = await collectGradients(model, lossBatches(model, BATCHES), {
    ...asked,
    onBatch: (batch) => batches.push(batch.computed),
  });
  expect(batches).toEqual([false, true, true, false, false]);
  expect({ computed, found }).toEqual({ computed: 3, found: 21 });
  expect(bytesOf(asked.path)).toEqual(bytesOf(whole.path));
});

it('does nothing more once a run is complete', async () => {
  const asked = options();
  const { run } = await collectGradients(model, lossBatches(model, BATCHES), asked);
  const before = bytesOf(run.path);
  const never = (): never => {
    throw new Error('a batch was asked for');
  };
  const again = await collectGradients(model, { [Symbol.iterator]: never }, asked);
  expect(again).toMatchObject({ computed: 0, found: EXAMPLES });
  expect(bytesOf(run.path)).toEqual(before);
});

it('goes on with a store that was complete in a run that was not', async () => {
  const asked = options();
  const { run } = await collectGradients(model, lossBatches(model, BATCHES), asked);
  writeRunManifest(run.path, { ...run.manifest, state: 'collecting' });
  await collectGradients(model, [], asked);
  expect(Run.open(run.path).manifest.state).toBe('complete');
});

it('makes the same store where nobody says how many examples there are, as where somebody does', async () => {
  const [told, untold] = [options({ exampleCount: EXAMPLES }), options()];
  for (const each of [told, untold]) await collectGradients(model, lossBatches(model, BATCHES), each);
  expect(bytesOf(untold.path)).toEqual(bytesOf(told.path));
});

/** Second moments that are this value everywhere. */
const constant = (value: number): Normalizer => ({
  name: 'constant',
  epsilon: 0,
  secondMoments: ({ gradientShape }) => tf.fill([...gradientShape], value),
});

describe('a run that was begun with something else', () => {
  const cases: [string, Partial<CollectGradientsOptions>, string][] = [
    ['projection', { projectionDim: 4 }, 'projection'],
    ['layers', { layers: ['head'] }, 'layers'],
    ['numbers', { dtype: 'float16' }, 'dtype'],
    ['number of examples', { exampleCount: 30 }, 'examples'],
    ['loss', { lossReduction: 'mean' }, 'frozen'],
    ['normalizer', { normalizer: constant(4) }, 'a normalizer of sha256'],
    ['weights', {}, 'weightsDigest'],
  ];
  it.each(cases)('is not gone on with: %s', async (what, more, field) => {
    const begun = await interrupted([0, 1, 2], {
      exampleCount: EXAMPLES,
      ...(what === 'normalizer' && { normalizer: constant(2) }),
    });
    const before = bytesOf(begun.path);
    const asked = what === 'weights' ? denseCase.build() : model;
    if (what === 'weights') asked.getLayer('head').setWeights([tf.zeros([8, 3]), tf.zeros([3])]);
    const call = collectGradients(asked, lossBatches(asked, BATCHES), { ...begun, ...more });
    const error = await call.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RunMismatchError);
    expect(error).toMatchObject({ what: field });
    expect(bytesOf(begun.path)).toEqual(before);
  });
});

it('goes on with a normalizer of the same moments', async () => {
  const begun = await interrupted([0, 1, 2], { normalizer: constant(2) });
  const { computed } = await collectGradients(model, lossBatches(model, BATCHES), begun);
  expect(computed).toBe(EXAMPLES - 3);
  const plain = await collectGradients(model, lossBatches(model, BATCHES), options());
  const row = rowsOf(plain.run)[5] ?? [];
  const normalized = rowsOf(Run.open(begun.path))[5] ?? [];
  expect(
    relativeError(
      normalized,
      [...row].map((value) => value / Math.SQRT2),
    ),
  ).toBeLessThan(ROUNDING);
});

it('leaves an example without a row whose gradient is not finite, names it, and keeps the rest of its batch', async () => {
  const broken = function* () {
    for (const batch of lossBatches(model, BATCHES)) {
      const weight = tf.tensor1d([...batch.ids].map((id) => (id === 16 ? Infinity : 1)));
      const { xs, ys } = denseCase.data(EXAMPLES);
      const [x, y] = [xs, ys].map((all) => tf.gather(all, [...batch.ids])) as [tf.Tensor, tf.Tensor];
      tf.dispose([xs, ys]);
      yield {
        ...batch,
        loss: () => losses(model, x, y).mul(weight).sum<tf.Scalar>(),
        dispose: () => {
          batch.dispose();
          tf.dispose([weight, x, y]);
        },
      };
    }
  };
  const before = tf.memory().numTensors;
  const { run, computed, failed } = await collectGradients(model, broken(), options());
  expect(tf.memory().numTensors).toBe(before);
  expect(computed).toBe(EXAMPLES - 1);
  expect(failed).toEqual([{ example: 16, reason: expect.stringMatching(/example 16 holds NaN/) as string }]);
  expect(run.manifest.failed).toEqual(failed);
  expect(run.describe()).toContain('of which 1 failed and have no row');
  const store = GradientStoreReader.open(run.storeDirectory());
  expect([15, 16, 17].map((example) => store.isWritten(example))).toEqual([true, false, true]);
  store.close();
});

it('goes on after a batch without one gradient that is finite, whose examples it names', async () => {
  const broken = [...lossBatches(model, BATCHES)].map((batch, i) =>
    i === 1 ? { ...batch, loss: () => batch.loss().mul<tf.Scalar>(NaN) } : batch,
  );
  const { computed, failed } = await collectGradients(model, broken, options());
  expect(computed).toBe(EXAMPLES - 5);
  expect(failed.map(({ example }) => example).toSorted((a, b) => a - b)).toEqual([1, 2, 11, 16, 23]);
});

it('ends, and leaves nothing, where the first batch has not one gradient that is finite', async () => {
  const asked = options();
  const broken = [...lossBatches(model, [[0, 1]])].map((batch) => ({
    ...batch,
    loss: () => batch.loss().mul<tf.Scalar>(NaN),
  }));
  await expect(collectGradients(model, broken, asked)).rejects.toThrow(NonFiniteValueError);
  expect(fs.existsSync(asked.path)).toBe(false);
});

it('keeps what it has when a batch fails, and the next call goes on', async () => {
  const asked = options();
  const failing = function* (): Generator<LossBatch> {
    let batch = 0;
    for (const each of lossBatches(model, BATCHES)) {
      const fails = batch++ === 2;
      yield !fails ? each : { ...each, loss: () => tf.scalar(1) };
    }
  };
  const before = tf.memory().numTensors;
  await expect(collectGradients(model, failing(), asked)).rejects.toThrow(NoGradientError);
  expect(tf.memory().numTensors - before).toBeLessThanOrEqual(1); // the scalar above
  const { found, computed } = await collectGradients(model, lossBatches(model, BATCHES), asked);
  expect({ found, computed }).toEqual({ found: 10, computed: 14 });
});

it('refuses an example that comes twice, a pass without one, a batch of another size, and a directory of something else', async () => {
  const twice = collectGradients(model, lossBatches(model, [[1, 2], [2]]), options());
  await expect(twice).rejects.toThrow(RepeatedExampleError);
  const empty = options();
  await expect(collectGradients(model, [], empty)).rejects.toThrow(NoExamplesError);
  expect(fs.existsSync(empty.path)).toBe(false);
  const short = [...lossBatches(model, [[0, 1, 2]])].map((batch) => ({ ...batch, ids: Int32Array.of(0, 1) }));
  await expect(collectGradients(model, short, options())).rejects.toThrow(BatchAxisError);
  const other = newPath();
  fs.mkdirSync(other);
  fs.writeFileSync(path.join(other, 'notes.txt'), 'mine');
  const call = collectGradients(model, lossBatches(model, BATCHES), options({ path: other }));
  await expect(call).rejects.toThrow(RunExistsError);
});
