/** How well each kind of score finds wrong labels. */
import { GradientCollector } from '../../lib/gradient-collector';
import type * as tf from '@tensorflow/tfjs';
import { AdamNormalizer } from '../../lib/normalizers/adam';
import { fitNormalizer } from '../../lib/normalizers/fit';
import type { Normalizer } from '../../lib/normalizers/normalizer';
import { AutocorrelationSum } from '../../lib/preconditioners/autocorrelation';
import { decompose } from '../../lib/preconditioners/decomposition';
import { Preconditioner } from '../../lib/preconditioners/preconditioner';
import { areaUnderCurve } from '../demo/detection';
import type { Tensors } from '../demo/digits';
import { meanDirection } from '../demo/influence';
import { passOver, type TrainedDigits } from './trained-digits';
import { innerProduct } from '../../lib/inner-product';

const PROJECTION_DIM = 16;

/** The area under the curve of each kind of score, by its name. */
export type Areas = ReadonlyMap<string, number>;

/** Ranks training digits by each kind of score, from gradients of the trained model. */
export async function findMislabels(digits: TrainedDigits): Promise<Areas> {
  const { model, train } = digits;
  const areas = new Map<string, number>();
  const adafactor = await fitNormalizer(model, passOver(model, train), 'adafactor');
  const normalizers: readonly (readonly [string, Normalizer | null])[] = [
    ['raw', null],
    ['adam', new AdamNormalizer(model.optimizer)],
    ['adafactor', adafactor],
  ];
  for (const [name, normalizer] of normalizers) await rank(name, normalizer, digits, areas);
  adafactor.dispose();
  return areas;
}

async function rank(
  name: string,
  normalizer: Normalizer | null,
  { model, train, test, flipped }: TrainedDigits,
  areas: Map<string, number>,
): Promise<void> {
  const collector = new GradientCollector(model, {
    projectionDim: PROJECTION_DIM,
    normalizer,
    lossReduction: 'sum',
  });
  const rows = await collectRows(collector, model, train);
  const preconditioner = preconditionerOf(collector, rows);
  const queries = Float32Array.from(meanDirection(await collectRows(collector, model, test)));
  const scale = (row: Float32Array) => preconditioner.apply([row])[0] ?? row;
  const inverse = preconditioner.apply(rows);
  const preconditionedQuery = scale(queries);
  const add = (kind: string, score: (row: Float32Array, i: number) => number) => {
    areas.set(`${name}, ${kind}`, areaUnderCurve(rows.map(score), flipped));
  };
  const selfInfluence = (row: Float32Array, i: number) => innerProduct(row, inverse[i] ?? row);
  add('self-influence', (row) => innerProduct(row, row));
  add('self-influence, preconditioned', selfInfluence);
  add('opposing influence', (row) => -innerProduct(row, queries));
  add('opposing influence, preconditioned', (row) => -innerProduct(row, preconditionedQuery));
  add(
    'RelatIF',
    (row, i) => -innerProduct(row, preconditionedQuery) / (Math.sqrt(selfInfluence(row, i)) || 1),
  );
  add('cosine', (row) => -innerProduct(row, queries) / (Math.sqrt(innerProduct(row, row)) || 1));
  // What a row scores for itself once both have unit norm, which is one for all of them but for rounding.
  add('cosine of an example with itself', (row) => {
    const norm = Math.sqrt(innerProduct(row, row)) || 1;
    const unit = row.map((value) => value / norm);
    return innerProduct(unit, unit);
  });
  preconditioner.dispose();
  collector.dispose();
}

/** The rows of all digits, views of one array. */
async function collectRows(
  collector: GradientCollector,
  model: tf.LayersModel,
  tensors: Tensors,
): Promise<Float32Array[]> {
  const width = collector.columns.reduce((sum, column) => sum + column.width, 0);
  const all = new Float32Array(tensors.xs.shape[0] * width);
  for await (const { ids, loss, dispose } of passOver(model, tensors)) {
    const { loss: value, gradients } = collector.run(loss);
    value.dispose();
    all.set(await collector.rows(gradients, ids.length), (ids[0] ?? 0) * width);
    dispose();
  }
  return Array.from({ length: tensors.xs.shape[0] }, (_, i) => all.subarray(i * width, (i + 1) * width));
}

/** Of rows that are views of one array. */
function preconditionerOf({ columns }: GradientCollector, rows: readonly Float32Array[]): Preconditioner {
  const sum = new AutocorrelationSum(columns);
  if (rows[0] !== undefined) sum.add(new Float32Array(rows[0].buffer));
  const preconditioner = Preconditioner.of(decompose(sum.mean()));
  sum.dispose();
  return preconditioner;
}
