/** Gradients from TensorFlow's memory to a file, by the addon, without passing through JavaScript's. */
import { getSystemErrorName } from 'node:util';
import { loadAddon, type Addon, type PreparedRowWrite } from './addon';
import { nativeProcessor } from './native';
import { RowProgram, type RowTerm } from './row-terms';

/** Bytes that go to a place in a file that is open. */
export interface FileWrite {
  readonly file: string;
  readonly descriptor: number;
  readonly position: number;
  readonly bytes: Uint8Array;
}

export interface RowWrite {
  readonly file: string;
  /** Of `file`. */
  readonly descriptor: number;
  /** The byte that each example's row begins at, -1 where it is not written: [n]. */
  readonly positions: Float64Array;
  /** Where in a row each begins, and what it is the sum of; where there is none a row is zero. */
  readonly columns: readonly { readonly offset: number; readonly terms: readonly RowTerm[] }[];
  /** Numbers in a row. */
  readonly width: number;
  /** What every number is multiplied by. */
  readonly factor: number;
  /** Written when the rows are, in this order. */
  readonly after: readonly FileWrite[];
}

/** What became of a write. A number that is not finite, by its index in rows [n, width], was found before any was written. */
export type RowOutcome =
  | { readonly kind: 'written' }
  | { readonly kind: 'not finite'; readonly index: number; readonly value: number }
  | { readonly kind: 'failed'; readonly file: string; readonly bytes: number; readonly code: string };

const WRITTEN: RowOutcome = { kind: 'written' };

/** Whether there is an addon that {@link beginRowWrite} can ask. */
export function writesRows(): boolean {
  return nativeProcessor() !== null;
}

/** A write that may still be going on. */
export class BegunRowWrite {
  constructor(
    private readonly addon: Addon,
    private readonly write: RowWrite,
    private readonly prepared: PreparedRowWrite,
  ) {}

  /** Waits for it. */
  outcome(): RowOutcome {
    const outcome = this.addon.rowOutcome(this.prepared);
    if (outcome === null) return WRITTEN;
    const [kind, at, value] = outcome;
    switch (kind) {
      case 2:
        return { kind: 'not finite', index: at, value };
      case 3:
        return { kind: 'failed', ...this.part(at), code: getSystemErrorName(-value) };
      default:
        throw new Error('internal: rows were neither written nor refused');
    }
  }

  private part(at: number): { file: string; bytes: number } {
    const { file, positions, width, after } = this.write;
    const part = after[at - 1];
    return part === undefined
      ? { file, bytes: 4 * positions.length * width }
      : { file: part.file, bytes: part.bytes.length };
  }
}

/**
 * Begins to write, and all else that was left to the background with it. The terms' tensors may be disposed, and gradients be the
 * background's own that are not there yet; files stay open until the outcome is known.
 *
 * @throws Error when the shapes do not fit, or unless {@link writesRows}.
 */
export function beginRowWrite(write: RowWrite): BegunRowWrite {
  const [addon, backend] = [loadAddon(), nativeProcessor()];
  if (typeof addon === 'string' || backend === null)
    throw new Error('internal: there is no addon to write rows');
  const { descriptor, positions, columns, width, factor, after } = write;
  const program = new RowProgram();
  for (const { offset, terms } of columns) program.addColumn(offset, terms);
  const { integers, reals } = program.encode();
  const prepared = addon.prepareRowWrite(
    descriptor,
    positions,
    integers,
    reals,
    width,
    factor,
    after.map((part) => part.descriptor),
    after.map((part) => part.position),
    after.map((part) => part.bytes),
  );
  const count = { name: 'N', type: backend.binding.TF_ATTR_INT, value: program.inputs.length };
  backend.executeMultipleOutputs('BergsonWriteRows', [count], program.inputs, 0);
  return new BegunRowWrite(addon, write, prepared);
}
