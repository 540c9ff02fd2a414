/** Projects the rows of a store to few numbers each, those of the largest norms first. */
import fs from 'node:fs';
import { bestScanKernel, openScanner } from '../../kernels/scan/open-scanner';
import { guardWrite, writeFully } from '../store/disk';
import { encodeFloat16 } from '../store/float16';
import type { GradientStoreReader } from '../store/reader';
import { sha256File } from '../store/record-file';
import { readRowBytes } from '../store/row-file';
import { writeSafetensors } from '../store/safetensors';
import { storeChecksum } from './hnsw-format';
import { principalAxes } from './principal-axes';
import {
  PROJECTED_FILES,
  projectedPaths,
  type ProjectedRecord,
  type ProjectionSettings,
} from './projected-format';
import { seededUniform } from './random';

/** Rows that the axes are found from, and the most axes: more than that make searching slow, and no better. */
const SAMPLE_ROWS = 1024;
const MOST_AXES = 128;

/** Numbers in that sample, 64 MiB: of rows wider than 16,384, fewer are taken. */
const SAMPLE_NUMBERS = 2 ** 24;

/** What the axes are to hold of the rows' squared norms. */
const SHARE = 0.98;

/** The largest norm of a projected row is brought to this, far from both ends of float16. */
const LARGEST_NORM = 2 ** 10;

/** More than rounding to float32, and then to float16, adds to a norm. */
const NORM_SLACK = 1 + 2 ** -9;

const BLOCK_BYTES = 1024 * 1024;

/** Writes the two files of an index of `store`; `report` is told how many rows are done. Throws IncompleteStoreError, DiskWriteError. */
export function projectRows(
  store: GradientStoreReader,
  settings: ProjectionSettings,
  report: (rows: number) => void,
): Omit<ProjectedRecord, 'deviations'> {
  const storeSha256 = storeChecksum(store);
  const files = projectedPaths(store.directory);
  const norms = store.norms().rows;
  const { width, rowsWritten: count } = store;
  const uniform = seededUniform(settings.seed);
  const axes = principalAxes(sampleUnitRows(store, norms, uniform), width, {
    most: MOST_AXES,
    share: SHARE,
  });
  const order = descending(store, norms);
  const rank = new Int32Array(store.rows).fill(-1);
  order.forEach((example, i) => (rank[example] = i));
  const normOf = (example: number) => norms[example] ?? 0;
  const largest = count === 0 ? 0 : settings.unitNorm ? 1 : normOf(order[0] ?? 0);
  const scale = largest > 0 ? 2 ** Math.floor(Math.log2(LARGEST_NORM / largest)) : 1;
  const scaleOf = (example: number) => {
    if (!settings.unitNorm) return scale;
    return normOf(example) > 0 ? scale / normOf(example) : 0;
  };
  const dimension = axes.count;
  const residuals = new Float32Array(count);
  guardWrite(files.rows, 2 * dimension * count, () => {
    const descriptor = fs.openSync(files.rows, 'w');
    try {
      const halves = new Uint16Array(dimension);
      const scaled = new Float32Array(dimension);
      let done = 0;
      for (const { example, values } of projections(store, axes.values, dimension)) {
        const factor = scaleOf(example);
        const place = rank[example] ?? 0;
        const squares = values.reduce((sum, value) => sum + value * value, 0);
        residuals[place] = factor * Math.sqrt(Math.max(0, normOf(example) ** 2 - squares));
        for (let i = 0; i < dimension; i++) scaled[i] = (values[i] ?? 0) * factor;
        encodeFloat16(scaled, halves);
        writeFully(descriptor, files.rows, new Uint8Array(halves.buffer), place * dimension * 2);
        if (++done % 1000 === 0) report(done);
      }
      report(done);
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
  });
  const bounds = Float32Array.from(order, (example) => normOf(example) * scaleOf(example) * NORM_SLACK);
  writeSafetensors(files.projection, {
    axes: { dtype: 'F32', shape: [dimension, width], data: axes.values },
    examples: { dtype: 'I32', shape: [count], data: order },
    norms: { dtype: 'F32', shape: [count], data: bounds },
    residuals: { dtype: 'F32', shape: [count], data: residuals },
  });
  const checksum = (file: string) => ({ bytes: fs.statSync(file).size, sha256: sha256File(file) });
  return {
    ...settings,
    ...{ space: 'ip', width, dimension, count, scale, storeSha256 },
    files: {
      [PROJECTED_FILES.rows]: checksum(files.rows),
      [PROJECTED_FILES.projection]: checksum(files.projection),
    },
  };
}

/** Some of the rows that were written, each divided by its norm: [n, width]. */
function sampleUnitRows(
  store: GradientStoreReader,
  norms: Float32Array,
  uniform: () => number,
): Float32Array {
  const held: number[] = [];
  for (let example = 0; example < store.rows; example++) if (store.isWritten(example)) held.push(example);
  const most = Math.max(2, Math.min(SAMPLE_ROWS, Math.floor(SAMPLE_NUMBERS / store.width)));
  const count = Math.min(most, held.length);
  const chosen = Array.from({ length: count }, (_, i) => {
    const j = i + Math.floor(uniform() * (held.length - i)); // Fisher-Yates, as far as needed
    [held[i], held[j]] = [held[j] ?? 0, held[i] ?? 0];
    return held[i] ?? 0;
  });
  const rows = store.readRows(chosen);
  chosen.forEach((example, i) => {
    const norm = norms[example] ?? 0;
    for (let k = i * store.width; k < (i + 1) * store.width; k++)
      rows[k] = norm > 0 ? (rows[k] ?? 0) / norm : 0;
  });
  return rows;
}

/** Rows that were written, by descending norm. */
function descending(store: GradientStoreReader, norms: Float32Array): Int32Array {
  const order = new Int32Array(store.rowsWritten);
  let count = 0;
  for (let example = 0; example < store.rows; example++)
    if (store.isWritten(example)) order[count++] = example;
  return order.sort((a, b) => (norms[b] ?? 0) - (norms[a] ?? 0) || a - b);
}

/** Each row's products with the axes: scores of a scan that leaves nothing out. `values` are overwritten by the next. */
function* projections(
  store: GradientStoreReader,
  axes: Float32Array,
  dimension: number,
): Generator<{ example: number; values: Float32Array }> {
  const file = store.file();
  const { width } = store;
  const half = store.dtype === 'float16';
  const bytesOfRow = width * (half ? 2 : 4);
  const blockRows = Math.max(1, Math.min(store.rows, Math.floor(BLOCK_BYTES / bytesOfRow)));
  const queries = Array.from({ length: dimension }, (_, i) => axes.subarray(i * width, (i + 1) * width));
  const ranges = [{ begin: 0, end: width }];
  const question = { width, half, queries, ranges, unitNorm: false, blockRows };
  const scanner = openScanner(question, bestScanKernel());
  const { hits, scales } = scanner;
  const values = new Float32Array(dimension);
  for (let first = 0; first < store.rows; first += blockRows) {
    const count = Math.min(blockRows, store.rows - first);
    readRowBytes(file, first, scanner.block.subarray(0, count * bytesOfRow));
    const factors = file.scales?.subarray(first, first + count);
    for (let next = 0; next < count;) {
      next = scanner.scan(next, count, undefined, factors);
      for (let hit = 0; hit < hits.count; hit += dimension) {
        const example = first + hits.row(hit);
        if (!store.isWritten(example)) continue;
        for (let i = 0; i < dimension; i++) {
          const query = hits.query(hit + i);
          values[query] = hits.score(hit + i) / (scales[query] ?? 1);
        }
        yield { example, values };
      }
    }
  }
}
