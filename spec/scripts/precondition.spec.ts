import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { Attributor, GradientCollectorCallback, prepareForGradientCollection, Run } from '../../callbacks';
import { relativeError, ROUNDING } from '../support/closeness';
import { runBergson } from '../support/run-bergson';
import { denseCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';

const run = path.join(temporaryDirectory(), 'run');
const EXAMPLES = 40;
let model: tf.LayersModel;
let query: { xs: tf.Tensor; ys: tf.Tensor };

beforeAll(async () => {
  model = prepareForGradientCollection(denseCase.build());
  const { xs, ys } = denseCase.data(EXAMPLES);
  query = { xs: xs.slice(0, 2), ys: ys.slice(0, 2) };
  const collector = new GradientCollectorCallback({ path: run, projectionDim: 4, index: false });
  await model.fit(xs, ys, { epochs: 2, batchSize: 8, verbose: 0, callbacks: [collector] });
});

function bergson(...args: string[]) {
  const { code, stdout, stderr } = runBergson(args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

interface Outcome {
  readonly fitted: boolean;
  readonly examples: number;
  readonly damping: number;
  readonly baked: string | null;
  readonly layers: readonly { readonly layer: string; readonly condition: number }[];
}

it('fits, bakes, and answers the same whether queries or rows are preconditioned', async () => {
  const outcome = JSON.parse(bergson('precondition', run, '--bake', '--json')) as Outcome;
  expect(outcome).toMatchObject({
    fitted: true,
    examples: EXAMPLES,
    damping: 0.1,
    baked: 'epoch_1.preconditioned',
  });
  for (const { condition } of outcome.layers) {
    expect(condition).toBeGreaterThan(1);
    expect(condition).toBeLessThan(1000);
  }
  const { stores, preconditionedStores } = Run.open(run);
  expect({ stores, preconditionedStores }).toEqual({
    stores: ['epoch_0', 'epoch_1'],
    preconditionedStores: ['epoch_1.preconditioned'],
  });

  const plain = await Attributor.open(run);
  const byQuery = await Attributor.open(run, { precondition: true });
  const byRows = await Attributor.open(run, { store: 'epoch_1.preconditioned' });
  const all = { k: EXAMPLES };
  const scores = async (attributor: Attributor) => {
    const traces = await attributor.trace(model, query, all);
    return traces.flatMap(({ highest }) => {
      const byExample = [...highest].sort((a, b) => a.example - b.example);
      return byExample.map(({ score }) => score);
    });
  };
  const [raw, left, right] = [await scores(plain), await scores(byQuery), await scores(byRows)];
  expect(relativeError(right, left)).toBeLessThan(10 * ROUNDING); // two roots, each rounded to float32
  expect(relativeError(left, raw)).toBeGreaterThan(0.1);
  expect([plain, byQuery, byRows].map(({ preconditioned }) => preconditioned)).toEqual([
    'none',
    'queries',
    'rows',
  ]);

  // Rows of the epoch's own store ask as they do there, once they are as the baked ones; a plain step cannot verify these.
  expect(relativeError(byRows.rowsOfRun(plain.run)[7] ?? [], byRows.row(7))).toBeLessThan(ROUNDING);
  expect(() => byRows.verify(model, query, { examples: query, ids: [0, 1] })).toThrow(
    /`store` is epoch_1.preconditioned/,
  );
  // A training example's own row asks as its gradient does.
  const [first] = await byQuery.search([byQuery.row(7)], all);
  const [second] = await byRows.search([byRows.row(7)], all);
  const self = [first, second].map(
    (trace) => trace?.highest.find(({ example }) => example === 7)?.score ?? NaN,
  );
  expect(Math.abs((self[0] ?? NaN) / (self[1] ?? NaN) - 1)).toBeLessThan(10 * ROUNDING);
  // Layers' shares of a score sum to it.
  for (const attributor of [byQuery, byRows]) {
    const [{ highest: [hit] } = { highest: [] }] = await attributor.search([attributor.row(7)], { k: 1 });
    const shares = attributor.explain(attributor.row(7), hit?.example ?? -1);
    const sum = shares.reduce((total, { score }) => total + score, 0);
    expect(Math.abs(sum / (hit?.score ?? NaN) - 1)).toBeLessThan(ROUNDING);
  }
  // The epochs' stores hold rows that are not preconditioned.
  await expect(byRows.search([byRows.row(7)], { epochs: true })).rejects.toThrow(/`epochs` is true/);
  const [traced] = await byQuery.search([byQuery.row(7)], { k: 1, epochs: true });
  const [best] = traced?.highest ?? [];
  expect(best?.epochs?.find(({ epoch }) => epoch === 1)?.score).toBeCloseTo(best?.score ?? NaN, 3);
  // At unit norm every example is its own best answer: RelatIF.
  const [relative] = await byRows.search([byRows.row(7)], { k: 1, unitNorm: true });
  expect(relative?.highest[0]).toMatchObject({ example: 7 });
  for (const attributor of [plain, byQuery, byRows]) await attributor.close();
});

it('does not read the rows again to damp them anew, and says what comes next', () => {
  const text = bergson('precondition', run, '--damping', '0.5');
  expect(text.replace(/\s+/g, ' ')).toMatch(
    /epoch_1: decomposed before \(--force goes over the rows again\), and damped over 40 rows; damping 0.5 of the mean eigenvalue leaves condition numbers of [\d.]+ to [\d.]+/,
  );
  expect(text).toContain(`Next: bergson query ${run} --precondition`);
});

it('is what `query --precondition` asks by, and says so', () => {
  const ask = (...options: string[]) =>
    JSON.parse(bergson('query', run, '--example', '3', '-k', '40', '--json', ...options)) as {
      options: { preconditioned: string };
      queries: { highest: { example: number; score: number }[] }[];
    };
  const [byQuery, byRows] = [ask('--precondition'), ask('--store', 'epoch_1.preconditioned')];
  expect(byQuery.options.preconditioned).toBe('queries');
  expect(byRows.options.preconditioned).toBe('rows');
  expect(bergson('query', run, '--example', '3', '--precondition')).toContain(
    "Queries are preconditioned, by the inverse autocorrelation of the store's gradients.",
  );
});

it('is what `doctor RUN` shows the spectra of', () => {
  const text = bergson('doctor', run);
  expect(text).toContain('Preconditioner of epoch_1: `query --precondition` scores by');
  expect(text).toContain('Preconditioner of epoch_1.preconditioned: its rows hold');
  expect(text).toMatch(/hidden +│ +16 │ [^│]+│ +[\d.]+ │ +\d+ │ █+/);
});

it('mixes the rows of another store in', () => {
  const mixed = ['--query-run', run, '--query-store', 'epoch_0', '--share', '0.8'];
  expect(JSON.parse(bergson('precondition', run, ...mixed, '--json'))).toMatchObject({
    fitted: true,
    queries: { examples: EXAMPLES, share: 0.8 },
  });
});

it.each([
  [1, 'a store twice', ['precondition', run, '--store', 'epoch_1.preconditioned'], /preconditioned already/],
  [
    1,
    'what was not fitted',
    ['query', run, '--store', 'epoch_0', '--example', '1', '--precondition'],
    /has no preconditioner/,
  ],
  [2, 'damping below zero', ['precondition', run, '--damping', '-1'], /--damping takes a number from 0/],
])('exits with %d for %s', (expected, _, args, says) => {
  const { code, stderr } = runBergson(args);
  expect(code).toBe(expected);
  expect(stderr).toMatch(says);
});
