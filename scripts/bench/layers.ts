/** `npm run bench:layers`: all per-example gradients of a batch at once, against a loop of batches of one, by layer. */
import tf = require('@tensorflow/tfjs');
import Table from 'cli-table3';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { GradientCollector } from '../../callbacks';
import { describeBackend, loadBackend } from '../../lib/backend';
import { multiplyExactly } from './exact-products';
import { spread, type Spread } from './statistics';

/** A layer alone, on inputs of this shape. */
interface Subject {
  readonly name: string;
  readonly shape: number[];
  readonly layer: () => tf.layers.Layer;
  /** Inputs are drawn from so many ids; otherwise they are normal. */
  readonly ids?: number;
}

const { layers } = tf;
const SUBJECTS: readonly Subject[] = [
  { name: 'Dense', shape: [256], layer: () => layers.dense({ units: 256 }) },
  { name: 'Dense, 32 positions', shape: [32, 128], layer: () => layers.dense({ units: 128 }) },
  {
    name: 'Embedding',
    shape: [32],
    ids: 5000,
    layer: () => layers.embedding({ inputDim: 5000, outputDim: 64 }),
  },
  { name: 'LayerNormalization', shape: [32, 256], layer: () => layers.layerNormalization() },
  { name: 'BatchNormalization', shape: [14, 14, 64], layer: () => layers.batchNormalization() },
  { name: 'PReLU', shape: [256], layer: () => layers.prelu() },
  { name: 'Conv1D', shape: [32, 32], layer: () => layers.conv1d({ filters: 64, kernelSize: 3 }) },
  { name: 'Conv2D', shape: [14, 14, 32], layer: () => layers.conv2d({ filters: 64, kernelSize: 3 }) },
  { name: 'Conv3D', shape: [6, 6, 6, 8], layer: () => layers.conv3d({ filters: 16, kernelSize: 3 }) },
  {
    name: 'Conv2DTranspose',
    shape: [7, 7, 32],
    layer: () => layers.conv2dTranspose({ filters: 32, kernelSize: 3, strides: 2 }),
  },
  { name: 'DepthwiseConv2D', shape: [14, 14, 64], layer: () => layers.depthwiseConv2d({ kernelSize: 3 }) },
  {
    name: 'SeparableConv2D',
    shape: [14, 14, 32],
    layer: () => layers.separableConv2d({ filters: 64, kernelSize: 3 }),
  },
  { name: 'SimpleRNN', shape: [16, 32], layer: () => layers.simpleRNN({ units: 64 }) },
  { name: 'GRU', shape: [16, 32], layer: () => layers.gru({ units: 64 }) },
  { name: 'LSTM', shape: [16, 32], layer: () => layers.lstm({ units: 64 }) },
  { name: 'ConvLSTM2D', shape: [4, 8, 8, 4], layer: () => layers.convLstm2d({ filters: 8, kernelSize: 3 }) },
];

/** Float32 sums in another order, relative to the largest element. */
const ROUNDING = 1e-4;

interface Row {
  readonly layer: string;
  readonly parameters: number;
  /** Milliseconds: a loop of batches of one; all at once, exact; all at once, projected as by default. */
  readonly loop: Spread;
  readonly exact: Spread;
  readonly projected: Spread;
  /** The loop's time over that of the same repeat. */
  readonly exactRatio: Spread;
  readonly projectedRatio: Spread;
}

async function main(): Promise<void> {
  const { batch, repeats, only, json } = await yargs(hideBin(process.argv))
    .usage('$0 times per-example gradients, by layer: all at once, and one example at a time')
    .option('batch', { type: 'number', default: 64 })
    .option('repeats', { type: 'number', default: 15 })
    .option('only', { type: 'string', array: true, choices: SUBJECTS.map(({ name }) => name) })
    .option('json', { type: 'boolean', default: false, describe: 'Print the report as JSON' })
    .strict()
    .parse();
  multiplyExactly();
  await loadBackend();
  const chosen = SUBJECTS.filter(({ name }) => only === undefined || only.includes(name));
  const rows = chosen.map((subject) => compare(subject, batch, repeats));
  console.log(json ? JSON.stringify(rows, undefined, 2) : format(rows, batch));
}

function compare({ name, shape, layer, ids }: Subject, batchSize: number, repeats: number): Row {
  const input = tf.input({ shape });
  const model = tf.model({ inputs: input, outputs: layer().apply(input) as tf.SymbolicTensor });
  const xs =
    ids === undefined
      ? tf.randomNormal([batchSize, ...shape], 0, 1, 'float32', 1)
      : tf.randomUniform([batchSize, ...shape], 0, ids, 'float32', 1).floor();
  const outputs = model.predict(xs) as tf.Tensor;
  const targets = tf.randomNormal(outputs.shape, 0, 1, 'float32', 2);
  const loss = (x: tf.Tensor, y: tf.Tensor) => (model.apply(x) as tf.Tensor).mul(y).sum<tf.Scalar>();
  const options = { lossReduction: 'sum' } as const;
  const exact = new GradientCollector(model, { ...options, projectionDim: 'exact' });
  const projected = new GradientCollector(model, options);
  const weights = [...new Set(exact.parts.flatMap((part) => part.weights))];
  const ofExample = (example: number) =>
    tf.tidy(
      () => tf.variableGrads(() => loss(xs.slice(example, 1), targets.slice(example, 1)), weights).grads,
    );
  verify(name, exact, () => loss(xs, targets), ofExample, batchSize);

  const [loop, all, small]: [number[], number[], number[]] = [[], [], []];
  const collect = (collector: GradientCollector) => {
    const { loss: value, gradients } = collector.run(() => loss(xs, targets));
    tf.dispose([value, [...gradients.values()]]);
  };
  for (let repeat = 0; repeat < repeats; repeat++) {
    loop.push(
      time(() => {
        for (let example = 0; example < batchSize; example++) tf.dispose(ofExample(example));
      }),
    );
    all.push(
      time(() => {
        collect(exact);
      }),
    );
    small.push(
      time(() => {
        collect(projected);
      }),
    );
  }
  tf.dispose([xs, outputs, targets]);
  exact.dispose();
  projected.dispose();
  const parameters = model.countParams();
  model.dispose();
  const ratio = (times: number[]) => spread(times.map((milliseconds, i) => (loop[i] ?? NaN) / milliseconds));
  return {
    layer: name,
    parameters,
    loop: spread(loop),
    exact: spread(all),
    projected: spread(small),
    exactRatio: ratio(all),
    projectedRatio: ratio(small),
  };
}

/** @throws Error if gradients of the first or last example are not what a batch of one gives. */
function verify(
  name: string,
  collector: GradientCollector,
  loss: () => tf.Scalar,
  ofExample: (example: number) => tf.NamedTensorMap,
  batchSize: number,
): void {
  tf.tidy(() => {
    const { gradients } = collector.run(loss);
    for (const part of collector.parts) {
      for (const example of [0, batchSize - 1]) {
        const alone = ofExample(example);
        const expected = part.asMatrix(
          part.weights.map((weight) => alone[weight.name] ?? tf.zerosLike(weight)),
        );
        const found =
          gradients.get(part.path)?.slice(example, 1).reshape(expected.shape) ?? tf.zerosLike(expected);
        const error = found.sub(expected).abs().max().div(expected.abs().max()).dataSync()[0] ?? NaN;
        if (!(error < ROUNDING))
          throw new Error(`${name}: ${part.path} of example ${example} is off by ${error}`);
      }
    }
    tf.dispose([...gradients.values()]);
  });
}

function time(body: () => void): number {
  const start = performance.now();
  body();
  return performance.now() - start;
}

function format(rows: readonly Row[], batch: number): string {
  const { backend, device, threads, versions } = describeBackend();
  const table = new Table({
    head: ['layer', 'weights', 'loop, ms', 'exact, ms', 'ratio', 'projected, ms', 'ratio', 'quartiles'],
    style: { head: [], border: [] },
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
  });
  for (const row of rows) {
    const { median, lowerQuartile, upperQuartile } = row.projectedRatio;
    table.push([
      row.layer,
      row.parameters.toLocaleString('en'),
      row.loop.median.toFixed(1),
      row.exact.median.toFixed(2),
      row.exactRatio.median.toFixed(0),
      row.projected.median.toFixed(2),
      median.toFixed(0),
      `${lowerQuartile.toFixed(0)} to ${upperQuartile.toFixed(0)}`,
    ]);
  }
  return [
    `batch of ${batch}; ${backend} backend on the ${device}, ${threads} threads; tfjs ${versions.tfjs}, TensorFlow ${versions.tensorflow ?? '(none)'}`,
    table.toString(),
  ].join('\n');
}

void main();
