/** One side of a layer's projection, as a tensor drawn on first use and kept until `dispose`. */
import * as tf from '@tensorflow/tfjs';
import { drawColumns, type RandomMatrixKey } from './random-matrix';

export class ProjectionMatrix {
  private cached: tf.Tensor2D | null = null;

  /**
   * The random matrix R [rows, columns] of `key`; where `rows` equals `columns` it is the identity instead,
   * since a side that is not made smaller is stored exactly.
   */
  constructor(
    readonly key: RandomMatrixKey,
    readonly rows: number,
    readonly columns: number,
  ) {}

  get isIdentity(): boolean {
    return this.rows === this.columns;
  }

  /**
   * Rᵀ, float32 [columns, rows], or its first `columns` rows. The whole matrix is owned by this object, a part
   * of it by the caller's `tf.tidy`.
   */
  transposed(columns = this.columns): tf.Tensor2D {
    this.cached ??= tf.keep(this.isIdentity ? tf.eye(this.rows) : this.draw(range(this.columns)));
    return columns === this.columns ? this.cached : this.cached.slice(0, columns);
  }

  /**
   * The columns of R named by `ids` (int32 [n]), as float32 [n, rows]; nothing else is drawn, so that a
   * vocabulary's whole matrix never exists. The caller disposes.
   */
  gather(ids: tf.Tensor1D): tf.Tensor2D {
    if (this.cached !== null || this.isIdentity) return tf.gather(this.transposed(), ids);
    return this.draw(ids.dataSync());
  }

  dispose(): void {
    this.cached?.dispose();
    this.cached = null;
  }

  private draw(columns: ArrayLike<number>): tf.Tensor2D {
    return tf.tensor2d(drawColumns(this.key, this.rows, columns), [columns.length, this.rows]);
  }
}

function range(length: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => i);
}
