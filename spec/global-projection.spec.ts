import tf = require('@tensorflow/tfjs');
import {
  Attributor,
  buildRun,
  GlobalRowsError,
  GradientCollector,
  InvalidOptionError,
  loadCausalLM,
  UnknownColumnError,
  type GradientCollectorOptions,
} from '../callbacks';
import { batchLoss } from '../lib/compiled-model';
import { layerProjection, resolveProjection } from '../lib/projection';
import { configs, silent } from './build/support';
import { relativeError, ROUNDING } from './support/closeness';
import { denseCase, sequenceCase, type TrainingCase } from './support/small-models';
import { temporaryDirectory } from './support/temporary-directory';
import { slice, trainRun } from './support/trained-run';

const directory = temporaryDirectory();
const EXAMPLES = 5;
const GLOBAL = { projectionTarget: 'global', projectionDim: 4 } as const;

/** A batch's gradients by layer, or the sum of all projected. */
function collect({ build, data }: TrainingCase, options: GradientCollectorOptions) {
  const model = build();
  const { xs, ys } = data(EXAMPLES);
  const collector = new GradientCollector(model, { ...options, lossReduction: 'sum' });
  const { loss, gradients } = collector.run(() => batchLoss(model, { xs, ys }).mul<tf.Scalar>(EXAMPLES));
  tf.dispose([loss, xs, ys]);
  return { collector, gradients };
}

/** L G Rᵀ [N, p, p] of exact gradients G [N, O, I], in plain products; of a vector L G [N, p², 1]. */
function project(
  part: { path: string; gradientShape: readonly [number, number] },
  gradients: tf.Tensor3D,
): tf.Tensor {
  const { left, right } = layerProjection(part, resolveProjection(GLOBAL));
  return tf.tidy(() => {
    const [l, r] = [left, right].map((matrix) => matrix.transposed().transpose());
    const rows = gradients.unstack().map((gradient) => l!.matMul(gradient).matMul(r!, false, true));
    return tf.stack(rows).reshape([EXAMPLES, -1]);
  });
}

it.each([
  { name: 'dense layers', of: denseCase, options: {} },
  { name: 'an embedding, a convolution and a normalization', of: sequenceCase, options: {} },
  { name: 'gradients divided by second moments', of: denseCase, options: { seeded: true } },
])('is the sum of what each layer is projected to: $name', async ({ of, options }) => {
  const normalizer = (): Pick<GradientCollectorOptions, 'normalizer'> =>
    'seeded' in options
      ? {
          normalizer: {
            name: 'squares',
            epsilon: 1e-3,
            secondMoments: ({ gradientShape: [o, i] }) =>
              tf.randomUniform<tf.Rank.R2>([o, i], 0.1, 2, 'float32', 7),
          },
        }
      : {};
  const exact = collect(of, { projectionDim: 'exact', ...normalizer() });
  const parts = exact.collector.parts;
  const expected = tf.tidy(() =>
    tf.addN(parts.map((part) => project(part, exact.gradients.get(part.path) as tf.Tensor3D))).dataSync(),
  );
  const { collector, gradients } = collect(of, { ...GLOBAL, ...normalizer() });
  expect(collector.columns).toEqual([{ layer: 'gradients', width: 16 }]);
  expect([...gradients.keys()]).toEqual(['gradients']);
  const rows = await collector.rows(gradients, EXAMPLES);
  expect(relativeError(rows, expected)).toBeLessThan(ROUNDING);
  tf.dispose([...exact.gradients.values()]);
  exact.collector.dispose();
  collector.dispose();
});

it('keeps inner products on average, of layers larger and smaller than it projects to', async () => {
  const exact = collect(denseCase, { projectionDim: 'exact' });
  const whole = await exact.collector.rows(exact.gradients, EXAMPLES);
  const inner = (rows: Float32Array, a: number, b: number) => {
    const width = rows.length / EXAMPLES;
    let sum = 0;
    for (let i = 0; i < width; i++) sum += rows[a * width + i]! * rows[b * width + i]!;
    return sum;
  };
  const pairs = [
    [0, 0],
    [1, 1],
    [0, 1],
    [2, 3],
  ] as const;
  const SEEDS = 200;
  const samples = pairs.map(() => [] as number[]);
  for (let seed = 0; seed < SEEDS; seed++) {
    const { collector, gradients } = collect(denseCase, { ...GLOBAL, seed });
    const rows = await collector.rows(gradients, EXAMPLES);
    pairs.forEach(([a, b], i) => samples[i]!.push(inner(rows, a, b)));
    collector.dispose();
  }
  pairs.forEach(([a, b], i) => {
    const mean = samples[i]!.reduce((sum, value) => sum + value / SEEDS, 0);
    const deviation = Math.sqrt(samples[i]!.reduce((sum, value) => sum + (value - mean) ** 2 / SEEDS, 0));
    // Four standard errors.
    expect(Math.abs(mean - inner(whole, a, b))).toBeLessThan((4 * deviation) / Math.sqrt(SEEDS));
  });
});

it('is written while training, asked by the model, and cannot be taken apart by layer', async () => {
  const trained = await trainRun(directory, denseCase, GLOBAL);
  const attributor = await Attributor.open(trained.run);
  expect(attributor.columns).toEqual([{ layer: 'gradients', width: 16 }]);
  const query = slice(trained, 2, 3);
  const [row] = await attributor.queryRows(trained.model, query);
  const [trace] = await attributor.search([row!], { k: 1 });
  expect(trace?.highest[0]?.score).toBeCloseTo(
    attributor.row(trace!.highest[0]!.example).reduce((sum, value, i) => sum + value * row![i]!, 0),
    4,
  );
  expect(() => attributor.explain(row!, 0)).toThrow(GlobalRowsError);
  await expect(attributor.search([row!], { k: 1, layers: ['hidden'] })).rejects.toThrow(UnknownColumnError);
  await attributor.close();
});

it('is built over texts, and asked by them', async () => {
  const config = configs(directory)({ projectionTarget: 'global', normalizer: 'adafactor' });
  const { run } = await buildRun(config, silent);
  expect(run.manifest.projection).toMatchObject({ projectionTarget: 'global', projectionDim: 4 });
  const lm = await loadCausalLM(config.model);
  const attributor = await Attributor.open(run.path);
  const ids = tf.tensor2d([[1, 2, 3, 4]], [1, 4], 'int32');
  const [row] = await attributor.queryRows(lm.model, () => lm.tokenLosses(ids, ids).sum<tf.Scalar>());
  expect(row).toHaveLength(16);
  await attributor.close();
  lm.model.dispose();
  ids.dispose();
});

it.each([
  [
    { projectionDim: 'exact' },
    /`projectionTarget` is global; it must be 'module' where `projectionDim` is 'exact'/,
  ],
  [{ projectionType: 'bergson' }, /it must be 'module' with Bergson's matrices/],
  [{ projectionTarget: 'all' as never }, /`projectionTarget` is all/],
] as const)('refuses %j', (options, message) => {
  const call = () => resolveProjection({ projectionTarget: 'global', ...options });
  expect(call).toThrow(InvalidOptionError);
  expect(call).toThrow(message);
});
