/** `offsets.npy`: which rows of a store belong to which example, where each token has a row. As Bergson writes it. */
import fs from 'node:fs';
import { InvalidLayoutError } from '../errors';

/** A row of such a store: the gradient of the linear maps at one position of an example. */
export interface TokenRow {
  readonly example: number;
  /** Counted from 0. The loss at this position is that of predicting the next token. */
  readonly position: number;
}

/** A file's name is in `format.ts`. */
export class TokenOffsets {
  /** `starts` [examples + 1]: where each example's rows start, and last the number of rows. */
  private constructor(private readonly starts: Float64Array) {}

  /** Offsets of examples with that many rows. @throws InvalidLayoutError */
  static of(counts: ArrayLike<number>): TokenOffsets {
    const starts = new Float64Array(counts.length + 1);
    for (let example = 0; example < counts.length; example++) {
      const count = counts[example] ?? NaN;
      if (!Number.isSafeInteger(count) || count < 0)
        throw new InvalidLayoutError(`example ${example}`, 'rows', 'a whole number from 0', String(count));
      starts[example + 1] = (starts[example] ?? 0) + count;
    }
    return new TokenOffsets(starts);
  }

  /** What `encode` wrote, or numpy did: int64 [examples + 1]. @throws InvalidLayoutError */
  static read(file: string): TokenOffsets {
    const bytes = fs.readFileSync(file);
    const start = bytes.length >= PREFIX_BYTES ? PREFIX_BYTES + bytes.readUInt16LE(MAGIC.length + 2) : 0;
    const header = bytes.subarray(PREFIX_BYTES, start).toString('latin1');
    const length = Number(/'shape': \((\d+),\)/.exec(header)?.[1]);
    const fits = bytes.length === start + 8 * length;
    if (!bytes.subarray(0, MAGIC.length).equals(MAGIC) || !header.includes("'<i8'") || length < 1 || !fits)
      throw new InvalidLayoutError(file, 'content', 'int64 [examples + 1] in numpy’s format', header);
    return new TokenOffsets(
      Float64Array.from({ length }, (_, i) => Number(bytes.readBigInt64LE(start + 8 * i))),
    );
  }

  get examples(): number {
    return this.starts.length - 1;
  }

  get rows(): number {
    return this.starts[this.examples] ?? 0;
  }

  /** The first row of `example`, and the first that is not its own. */
  rowsOf(example: number): [first: number, end: number] {
    return [this.starts[example] ?? NaN, this.starts[example + 1] ?? NaN];
  }

  /** Whose row that is. */
  tokenOf(row: number): TokenRow {
    let [low, high] = [0, this.examples];
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.starts[middle] ?? 0) <= row) low = middle;
      else high = middle;
    }
    return { example: low, position: row - (this.starts[low] ?? 0) };
  }

  /** The file's bytes. */
  encode(): Uint8Array {
    const description = `{'descr': '<i8', 'fortran_order': False, 'shape': (${this.starts.length},), }`;
    // numpy ends the header with a line break at a multiple of 64 bytes.
    const padded = Math.ceil((PREFIX_BYTES + description.length + 1) / 64) * 64 - PREFIX_BYTES;
    const header = `${description.padEnd(padded - 1)}\n`;
    const bytes = Buffer.alloc(PREFIX_BYTES + padded + 8 * this.starts.length);
    MAGIC.copy(bytes);
    bytes.writeUInt16LE(VERSION, MAGIC.length);
    bytes.writeUInt16LE(padded, MAGIC.length + 2);
    bytes.write(header, PREFIX_BYTES, 'latin1');
    this.starts.forEach((start, i) => bytes.writeBigInt64LE(BigInt(start), PREFIX_BYTES + padded + 8 * i));
    return bytes;
  }
}

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');
/** Bytes 1 and 0. */
const VERSION = 1;
/** Magic, version, and the length of the header. */
const PREFIX_BYTES = MAGIC.length + 4;
