/** The projection of an index, as it is loaded: axes, and the rows projected on them. */
import fs from 'node:fs';
import path from 'node:path';
import { IndexMismatchError } from '../errors';
import { sha256File } from '../store/record-file';
import type { RowFile } from '../store/row-file';
import { SafetensorsFile } from '../store/safetensors';
import { innerProducts } from './inner-products';
import { projectedPaths, type ProjectedRecord } from './projected-format';

export interface Projection {
  readonly axes: readonly Float32Array[];
  /** Which example each projected row is of. */
  readonly examples: Int32Array;
  /** Bounds of the norms of the rows that were projected, as they were scaled; shared between threads. */
  readonly norms: Float32Array;
  /** The norms of what the axes leave out of those rows, likewise. */
  readonly residuals: Float32Array;
  /** To be closed by whoever loaded it. */
  readonly file: RowFile;
}

/** All bytes are checked. Throws {@link IndexMismatchError}. */
export function loadProjection(storeDirectory: string, record: ProjectedRecord): Projection {
  const paths = projectedPaths(storeDirectory);
  for (const [name, { sha256 }] of Object.entries(record.files)) {
    const file = path.join(paths.directory, name);
    const found = sha256File(file);
    if (found !== sha256) throw new IndexMismatchError(file, 'sha256', sha256, found);
  }
  const tensors = SafetensorsFile.open(paths.projection);
  try {
    const { width, dimension, count } = record;
    const axes = tensors.read('axes').data as Float32Array;
    const shared = (name: string) => {
      const numbers = tensors.read(name).data as Float32Array;
      const copy = new Float32Array(new SharedArrayBuffer(4 * numbers.length));
      copy.set(numbers);
      return copy;
    };
    return {
      axes: Array.from({ length: dimension }, (_, i) => axes.subarray(i * width, (i + 1) * width)),
      examples: tensors.read('examples').data as Int32Array,
      norms: shared('norms'),
      residuals: shared('residuals'),
      file: {
        directory: paths.directory,
        descriptor: fs.openSync(paths.rows, 'r'),
        ...{ rows: count, width: dimension, dtype: 'float16' },
      },
    };
  } finally {
    tensors.close();
  }
}

/** The inner products of `query` [width] with the axes. */
export function project(query: Float32Array, axes: readonly Float32Array[]): Float32Array {
  const products = new Float64Array(axes.length);
  innerProducts(query, axes, [{ begin: 0, end: query.length }], products);
  return Float32Array.from(products);
}
