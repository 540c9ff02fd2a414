/** One side of a layer's projection, as a tensor drawn on first use and kept until `dispose`. */
import tf = require('@tensorflow/tfjs');
import { drawBergsonMatrix, type BergsonMatrixKey } from './bergson-matrix';
import { randomColumns } from './random-columns';
import { drawColumns, type RandomMatrixKey } from './random-matrix';

/** A matrix of up to so many columns is drawn once and kept, 4 MB at 16 rows, rather than in parts for each batch. */
const WHOLE_COLUMNS = 1 << 16;

interface MatrixOptions {
  /** Whether it is random even where it makes nothing smaller. */
  readonly drawn?: boolean;
  /** What each column is multiplied by, [columns]; owned by the matrix. Not for the identity. */
  readonly scale?: tf.Tensor1D;
}

export class ProjectionMatrix {
  private cached: tf.Tensor2D | null = null;
  private readonly parts = new Map<number, tf.Tensor2D>();

  /**
   * The random matrix R [rows, columns] of `key`; where `rows` equals `columns` it is the identity instead,
   * since a side that is not made smaller is stored exactly, unless it is to be `drawn`. Bergson's matrices are what they are.
   */
  constructor(
    readonly key: RandomMatrixKey | BergsonMatrixKey,
    readonly rows: number,
    readonly columns: number,
    private readonly options: MatrixOptions = {},
  ) {}

  /** This matrix with each column multiplied by its element of `scale` [columns], which stays the caller's. */
  scaled(scale: tf.Tensor1D): ProjectionMatrix {
    if (this.isIdentity || this.scale !== null) throw new Error('internal: this matrix cannot be scaled');
    const options = { ...this.options, scale: tf.keep(scale.clone()) };
    return new ProjectionMatrix(this.key, this.rows, this.columns, options);
  }

  get isIdentity(): boolean {
    return this.rows === this.columns && this.key.type !== 'bergson' && this.options.drawn !== true;
  }

  private get scale(): tf.Tensor1D | null {
    return this.options.scale ?? null;
  }

  /** Rᵀ, float32 [columns, rows]. Owned by this object: do not dispose. */
  transposed(): tf.Tensor2D {
    this.cached ??= tf.keep(this.isIdentity ? tf.eye(this.rows) : this.draw());
    return this.cached;
  }

  /** Rows `first` up to `end` of Rᵀ: what columns `first` up to `end` project with. Owned by this object. */
  transposedPart(first: number, end: number): tf.Tensor2D {
    if (first === 0 && end === this.columns) return this.transposed();
    // A layer asks for few: the columns of its kernels, and of its bias.
    const place = first * (this.columns + 1) + end;
    const known = this.parts.get(place);
    if (known !== undefined) return known;
    const part = tf.keep(this.transposed().slice(first, end - first));
    this.parts.set(place, part);
    return part;
  }

  /**
   * The columns of R named by `ids` (int32 [n]), as float32 [n, rows]. Of a wide matrix nothing else is drawn, so
   * that a large vocabulary's never exists whole; Bergson's can only be drawn whole. The caller disposes.
   */
  gather(ids: tf.Tensor1D): tf.Tensor2D {
    const { key, rows, scale } = this;
    if (this.columns <= WHOLE_COLUMNS || this.isIdentity || key.type === 'bergson') {
      return tf.gather(this.transposed(), ids);
    }
    if (scale === null) return randomColumns(key, rows, ids);
    return tf.tidy(() => randomColumns(key, rows, ids).mul(tf.gather(scale, ids).expandDims(1)));
  }

  dispose(): void {
    tf.dispose([this.cached ?? [], this.scale ?? [], [...this.parts.values()]]);
    this.cached = null;
    this.parts.clear();
  }

  private draw(): tf.Tensor2D {
    return tf.tidy(() => {
      const { key, rows, columns } = this;
      const values =
        key.type === 'bergson'
          ? drawBergsonMatrix(key, rows, columns)
          : drawColumns(key, rows, range(columns));
      const drawn = tf.tensor2d(values, [this.columns, this.rows]);
      return this.scale === null ? drawn : drawn.mul(this.scale.expandDims(1));
    });
  }
}

function range(length: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => i);
}
