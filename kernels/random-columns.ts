/**
 * Columns of a random matrix as a tensor: drawn by random-matrix.ts, which defines them, or where the ids of a batch are
 * already, on a GPU.
 */
import tf = require('@tensorflow/tfjs');
import { nativeBackend } from './native';
import type { TensorFlowBackend } from './tensorflow-backend';
import { drawColumns, type RandomMatrixKey } from './random-matrix';

/** The columns named by `ids` (int32 [n]) of the matrix of `key`, float32 [n, rows]; the same wherever, normals to rounding. */
export function randomColumns(key: RandomMatrixKey, rows: number, ids: tf.Tensor1D): tf.Tensor2D {
  const backend = nativeBackend();
  return backend?.isUsingGpuDevice === true
    ? randomColumnsNatively(key, rows, ids, backend)
    : tf.tensor2d(drawColumns(key, rows, ids.dataSync()), [ids.size, rows]);
}

/** {@link randomColumns} by the addon's operation, which is for a GPU only. */
export function randomColumnsNatively(
  { type, seed, stream, side }: RandomMatrixKey,
  rows: number,
  ids: tf.Tensor1D,
  backend: TensorFlowBackend,
): tf.Tensor2D {
  const value = [rows, type === 'normal' ? 1 : 0, seed, ...stream, side];
  const matrix = { name: 'matrix', type: backend.binding.TF_ATTR_INT, value };
  return backend.executeSingleOutput('BergsonDrawColumns', [matrix], [ids]) as tf.Tensor2D;
}
