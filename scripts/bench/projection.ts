/**
 * `npm run bench:projection`: what projecting one layer's gradients takes, shape by shape: as it is done, by plain
 * operations, and by forming the gradients first.
 */
import tf = require('@tensorflow/tfjs');
import Table from 'cli-table3';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { nativeAddon } from '../../kernels/native';
import { contractPositions } from '../../kernels/project';
import {
  projectPositions,
  projectPositionsPlainly,
  type ProjectedFactors,
} from '../../kernels/project-factors';
import { loadBackend } from '../../lib/backend';
import { spread, type Spread } from './statistics';

/** Both orders of float32 sums over up to 1,024 positions and as many inputs, relative to the largest element. */
const ROUNDING = 1e-5;

/** Repeats are between these, as many as fit the time. */
const [FEWEST, MOST] = [5, 200];
const MILLISECONDS = 400;

type Factors = ProjectedFactors & { activations: tf.Tensor3D; outputGradients: tf.Tensor3D };

/** Ways to project, each timed in turn with the others. */
const WAYS = {
  served: projectPositions,
  plain: projectPositionsPlainly,
  formed: projectFormed,
} satisfies Record<string, (factors: Factors) => tf.Tensor3D>;

type Way = keyof typeof WAYS;

interface Row {
  readonly side: number;
  readonly projected: number;
  readonly positions: number;
  readonly times: Record<Way, Spread>;
  /** The others' times over those of `served` in the same repeat. */
  readonly speedup: Record<Exclude<Way, 'served'>, Spread>;
  /** Of `served`: multiplications, and bytes of its inputs, a second over the machine's most. */
  readonly share: { readonly arithmetic: number; readonly bandwidth: number };
}

/** What the machine does at its best, by TensorFlow's own operations. */
interface Peak {
  /** Multiplications a second, of a product of two large square matrices. */
  readonly arithmetic: number;
  /** Bytes a second, read and written by adding a number to a large tensor. */
  readonly bandwidth: number;
}

async function main(): Promise<void> {
  const { batch, sides, projected, positions, json } = await yargs(hideBin(process.argv))
    .usage('$0 times the projection of one layer, by the addon and by plain operations')
    .option('batch', { type: 'number', default: 8 })
    .option('sides', {
      type: 'number',
      array: true,
      default: [64, 256, 1024, 4096],
      describe: 'inputs and outputs',
    })
    .option('projected', { type: 'number', array: true, default: [8, 16, 64] })
    .option('positions', { type: 'number', array: true, default: [1, 128, 1024] })
    .option('json', { type: 'boolean', default: false, describe: 'Print the report as JSON' })
    .strict()
    .parse();
  await loadBackend('tensorflow');
  const addon = nativeAddon();
  if (typeof addon === 'string') throw new Error(`nothing to compare: ${addon}`);
  const peak = measurePeak();
  const rows = sides.flatMap((side) =>
    projected.flatMap((width) => positions.map((count) => compare(batch, side, width, count, peak))),
  );
  if (json) console.log(JSON.stringify({ peak, rows }, undefined, 2));
  else console.log(format(rows, peak, addon.instructionSets[0] ?? ''));
}

function compare(batch: number, side: number, projected: number, positions: number, peak: Peak): Row {
  const factors = draw(batch, side, projected, positions);
  const times: Record<Way, number[]> = { served: [], plain: [], formed: [] };
  const ways = Object.keys(WAYS) as Way[];
  for (const way of ways) verify(WAYS[way], factors);
  const end = performance.now() + MILLISECONDS;
  for (let repeat = 0; repeat < FEWEST || (repeat < MOST && performance.now() < end); repeat++) {
    for (let i = 0; i < ways.length; i++) {
      const way = ways[(i + repeat) % ways.length] ?? 'served';
      times[way].push(time(WAYS[way], factors));
    }
  }
  tf.dispose(Object.values(factors).filter((value) => value instanceof tf.Tensor));
  const speedup = (way: Way) => spread(times.served.map((served, i) => (times[way][i] ?? NaN) / served));
  const served = spread(times.served);
  const [p, seconds] = [Math.min(projected, side), served.median / 1000];
  const sums = Math.min(positions * p * (side + p), side * p * (positions + p));
  return {
    ...{ side, projected, positions },
    times: { served, plain: spread(times.plain), formed: spread(times.formed) },
    speedup: { plain: speedup('plain'), formed: speedup('formed') },
    share: {
      arithmetic: (batch * (positions * side * p + sums)) / seconds / peak.arithmetic,
      bandwidth: (8 * batch * positions * side) / seconds / peak.bandwidth,
    },
  };
}

/** G_n whole, then L G_n Rᵀ: what there is to do without factors. */
function projectFormed({
  activations,
  outputGradients,
  right,
  biasRow,
  left,
  multiplier,
}: Factors): tf.Tensor3D {
  const gradient = contractPositions(outputGradients, activations); // [N, O, I]
  const ofBias: tf.Tensor3D | null =
    biasRow && outputGradients.sum(1).expandDims<tf.Tensor3D>(2).mul<tf.Tensor3D>(biasRow);
  const product: tf.Tensor3D = right === null ? gradient : tf.matMul(gradient, right);
  const halfway = ofBias === null ? product : product.add<tf.Tensor3D>(ofBias); // [N, O, q]
  return (left === null ? halfway : tf.matMul<tf.Tensor3D>(left, halfway, true, false)).mul(multiplier);
}

function measurePeak(): Peak {
  const best = (repeat: () => tf.Tensor) =>
    Math.min(...Array.from({ length: 9 }, () => milliseconds(repeat))) / 1000;
  const size = 2048;
  const [square, large] = [tf.randomNormal<tf.Rank.R2>([size, size]), tf.zeros([1 << 24])];
  const peak = {
    arithmetic: size ** 3 / best(() => tf.matMul(square, square)),
    bandwidth: (8 * large.size) / best(() => large.add(1)),
  };
  tf.dispose([square, large]);
  return peak;
}

/** A layer with as many inputs as outputs; a side that is not made smaller is not projected. */
function draw(batch: number, side: number, projected: number, positions: number): Factors {
  const matrix = () => (projected < side ? tf.randomNormal<tf.Rank.R2>([side, projected]) : null);
  return {
    activations: tf.randomNormal([batch, positions, side]),
    right: matrix(),
    biasRow: tf.randomNormal([1, Math.min(side, projected)]),
    outputGradients: tf.randomNormal([batch, positions, side]),
    left: matrix(),
    multiplier: 1,
  };
}

function verify(project: (factors: Factors) => tf.Tensor3D, factors: Factors): void {
  const error = tf.tidy(() => {
    const expected = projectPositionsPlainly(factors);
    const difference = project(factors).sub(expected).abs().max();
    return difference.div(expected.abs().max()).dataSync<'float32'>()[0] ?? NaN;
  });
  if (!(error < ROUNDING)) throw new Error(`the results differ by ${error} of the largest element`);
}

function time(project: (factors: Factors) => tf.Tensor3D, factors: Factors): number {
  return milliseconds(() => tf.tidy(() => project(factors)));
}

function milliseconds(compute: () => tf.Tensor): number {
  const start = performance.now();
  const result = compute();
  const taken = performance.now() - start;
  result.dispose();
  return taken;
}

function format(rows: readonly Row[], { arithmetic, bandwidth }: Peak, instructionSet: string): string {
  const head = ['I = O', 'p = q', 'positions', 'served, ms', 'plain, ms', 'formed, ms'];
  head.push('plain / served', 'quartiles', 'formed / served', 'of peak arithmetic', 'of bandwidth');
  const table = new Table({
    head,
    style: { head: [], border: [] },
    colAligns: head.map(() => 'right' as const),
  });
  for (const { side, projected, positions, times, speedup, share } of rows) {
    const { plain, formed } = speedup;
    table.push([
      ...[side, projected, positions],
      ...[times.served, times.plain, times.formed].map(({ median }) => median.toFixed(3)),
      plain.median.toFixed(2),
      `${plain.lowerQuartile.toFixed(2)} to ${plain.upperQuartile.toFixed(2)}`,
      formed.median.toFixed(1),
      percent(share.arithmetic),
      percent(share.bandwidth),
    ]);
  }
  const peak = `${(arithmetic / 1e9).toFixed(0)} billion multiplications and ${(bandwidth / 1e9).toFixed(1)} GB a second`;
  return `${instructionSet}; at most ${peak}; medians of repeats in turns\n${table.toString()}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

void main();
