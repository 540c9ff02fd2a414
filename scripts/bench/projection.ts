/** `node scripts/bootstrap.mjs bench/projection`: the addon's projection against plain operations, shape by shape. */
import * as tf from '@tensorflow/tfjs';
import Table from 'cli-table3';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { nativeAddon } from '../../kernels/native';
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
const [FEWEST, MOST] = [7, 200];
const MILLISECONDS = 400;

interface Row {
  readonly side: number;
  readonly projected: number;
  readonly positions: number;
  readonly plain: Spread;
  readonly served: Spread;
  /** Of the two times of the same repeat. */
  readonly ratio: Spread;
}

async function main(): Promise<void> {
  const { batch, sides, projected, positions, json } = await yargs(hideBin(process.argv))
    .usage('$0 times the projection of one layer, by the addon and by plain operations')
    .option('batch', { type: 'number', default: 8 })
    .option('sides', {
      type: 'number',
      array: true,
      default: [64, 256, 1024],
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
  const rows = sides.flatMap((side) =>
    projected.flatMap((width) => positions.map((count) => compare(batch, side, width, count))),
  );
  console.log(json ? JSON.stringify(rows, undefined, 2) : format(rows, addon.instructionSets[0] ?? ''));
}

function compare(batch: number, side: number, projected: number, positions: number): Row {
  const factors = draw(batch, side, projected, positions);
  verify(factors);
  const plain: number[] = [];
  const served: number[] = [];
  const end = performance.now() + MILLISECONDS;
  while (plain.length < FEWEST || (plain.length < MOST && performance.now() < end)) {
    plain.push(time(projectPositionsPlainly, factors));
    served.push(time(projectPositions, factors));
  }
  tf.dispose(Object.values(factors).filter((value) => value instanceof tf.Tensor));
  const ratio = spread(served.map((milliseconds, i) => milliseconds / (plain[i] ?? NaN)));
  return { side, projected, positions, plain: spread(plain), served: spread(served), ratio };
}

/** A layer with as many inputs as outputs; a side that is not made smaller is not projected. */
function draw(batch: number, side: number, projected: number, positions: number): ProjectedFactors {
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

function verify(factors: ProjectedFactors): void {
  const error = tf.tidy(() => {
    const expected = projectPositionsPlainly(factors);
    const difference = projectPositions(factors).sub(expected).abs().max();
    return difference.div(expected.abs().max()).dataSync<'float32'>()[0] ?? NaN;
  });
  if (!(error < ROUNDING)) throw new Error(`the results differ by ${error} of the largest element`);
}

function time(project: (factors: ProjectedFactors) => tf.Tensor3D, factors: ProjectedFactors): number {
  const start = performance.now();
  tf.tidy(() => {
    project(factors);
  });
  return performance.now() - start;
}

function format(rows: readonly Row[], instructionSet: string): string {
  const table = new Table({
    head: ['I = O', 'p = q', 'positions', 'plain, ms', 'addon, ms', 'addon / plain', 'quartiles'],
    style: { head: [], border: [] },
    colAligns: ['right', 'right', 'right', 'right', 'right', 'right', 'right'],
  });
  for (const { side, projected, positions, plain, served, ratio } of rows) {
    table.push([
      side,
      projected,
      positions,
      plain.median.toFixed(3),
      served.median.toFixed(3),
      ratio.median.toFixed(2),
      `${ratio.lowerQuartile.toFixed(2)} to ${ratio.upperQuartile.toFixed(2)}`,
    ]);
  }
  return `${instructionSet}; medians of repeats in turns\n${table.toString()}`;
}

void main();
