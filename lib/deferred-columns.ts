/** What a step's columns of rows are made of, as its backward pass hands it over. */
import type * as tf from '@tensorflow/tfjs';
import { inBackground } from '../kernels/background';
import { RowColumn } from '../kernels/row-terms';
import type { AttributedPart } from './capture/attributed-layers';
import { deferGradients, type Factors, type LayerProjection } from './layers/factors';

/** How one part's gradients get into its column. */
export interface ColumnSource {
  /** The name of the column. */
  readonly column: string;
  /** What projects what the addon makes later; null where gradients have to be made now. */
  readonly deferred: LayerProjection | null;
  /** Makes them, [N, p, q]. */
  readonly gradients: (factors: readonly Factors[], multiplier: number) => tf.Tensor3D;
}

/** Bytes of a step that wait to be projected; beyond them a layer's gradients are, instead of what they are made of. */
const MOST_WAITING = 128 * 2 ** 20;

export class DeferredColumns {
  /** By name. Whoever takes them disposes them. */
  readonly columns = new Map<string, RowColumn>();
  private waiting = 0;

  constructor(private readonly sourceOf: (part: AttributedPart) => ColumnSource) {}

  /** Adds the factors of a part, inside the caller's `tf.tidy`: as they are where they can be, else as gradients. */
  add(part: AttributedPart, factors: readonly Factors[], multiplier: number): void {
    const { column: name, deferred, gradients } = this.sourceOf(part);
    const column = this.columns.get(name) ?? new RowColumn();
    this.columns.set(name, column);
    const before = column.bytes;
    const left =
      deferred === null || this.waiting > MOST_WAITING
        ? factors
        : factors.filter((each) => !deferGradients(column, each, deferred, multiplier));
    this.waiting += column.bytes - before;
    if (left.length > 0) column.addGradients(inBackground(() => gradients(left, multiplier)));
  }

  dispose(): void {
    for (const column of this.columns.values()) column.dispose();
  }
}
