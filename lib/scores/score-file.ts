/**
 * `scores.bin` and `info.json`: every row's scores for every query, as Bergson lays them out. Begun in `PATH.part`, gone
 * on with there after a kill, and renamed when complete. Bytes: docs/format.md.
 */
import fs from 'node:fs';
import path from 'node:path';
import { CorruptStoreError, OutputExistsError, ScoresMismatchError } from '../errors';
import { forEachRun, guardWrite, readFully, syncDirectory, writeFileAtomic, writeFully } from '../store/disk';
import { STORE_FILES } from '../store/format';
import { isMap, readRecord, writeRecord } from '../store/record-file';
import type { TokenOffsets } from '../store/token-offsets';

const SCORE_FILES = { info: 'info.json', scores: 'scores.bin', record: 'scores.msgpack' } as const;

const RECORD = { kind: 'scores', version: 1 };
/** A float32, a byte that says whether it is there, and three that mean nothing. */
const CELL_BYTES = 8;
const BLOCK_BYTES = 1 << 20;

export interface ScoreLayout {
  readonly rows: number;
  readonly queries: number;
  /** Whose rows are whose, where each token has a row. */
  readonly tokens?: TokenOffsets | undefined;
  /** Tells what is scored by what: a file that was begun is gone on with only under the same. */
  readonly identity: string;
}

/** Scores of consecutive rows: `scores` [count, queries], of which only those of rows with `written` 1 mean anything. */
export interface ScoreBlock {
  readonly first: number;
  readonly count: number;
  readonly scores: Float32Array;
  readonly written: Uint8Array;
}

export class ScoreFile {
  private readonly written: Uint8Array;
  private readonly part: string;
  private open = true;

  private constructor(
    readonly path: string,
    readonly layout: ScoreLayout,
    private readonly descriptor: number,
  ) {
    this.part = partOf(path);
    this.written = new Uint8Array(layout.rows);
    for (const { first, written } of this.blocks()) this.written.set(written, first);
  }

  /**
   * Begins the scores that are to be at `file`, or goes on with those that a killed process began.
   * @throws OutputExistsError, ScoresMismatchError, CorruptStoreError, DiskWriteError
   */
  static begin(file: string, layout: ScoreLayout): ScoreFile {
    if (fs.existsSync(file)) throw new OutputExistsError(file);
    const part = partOf(file);
    const at = (name: string) => path.join(part, name);
    const bytes = layout.rows * layout.queries * CELL_BYTES;
    if (fs.existsSync(at(SCORE_FILES.record))) {
      const { payload } = readRecord(at(SCORE_FILES.record), RECORD);
      if (!isMap(payload) || payload.identity !== layout.identity) throw new ScoresMismatchError(part);
      const { size } = fs.statSync(at(SCORE_FILES.scores));
      if (size !== bytes) throw new CorruptStoreError(at(SCORE_FILES.scores), 'bytes', bytes, size);
    } else {
      guardWrite(part, bytes, () => {
        fs.mkdirSync(part, { recursive: true });
        fs.closeSync(fs.openSync(at(SCORE_FILES.scores), 'w'));
        fs.truncateSync(at(SCORE_FILES.scores), bytes);
      });
      if (layout.tokens) writeFileAtomic(at(STORE_FILES.offsets), [layout.tokens.encode()]);
      writeFileAtomic(at(SCORE_FILES.info), [Buffer.from(encodeInfo(layout))]);
      writeRecord(at(SCORE_FILES.record), RECORD, { identity: layout.identity });
    }
    return new ScoreFile(file, layout, fs.openSync(at(SCORE_FILES.scores), 'r+'));
  }

  /** Rows that have scores. */
  get rowsWritten(): number {
    return this.written.reduce((sum, flag) => sum + flag, 0);
  }

  isWritten(row: number): boolean {
    return this.written[row] === 1;
  }

  /** Writes the scores [n, queries] of `rows` [n]; runs of neighbors in one piece. @throws DiskWriteError */
  write(rows: ArrayLike<number>, scores: Float32Array): void {
    const { queries } = this.layout;
    const together = (i: number) => rows[i] === (rows[i - 1] ?? 0) + 1;
    forEachRun(rows.length, together, (start, end) => {
      const first = rows[start] ?? 0;
      const cells = Buffer.alloc((end - start) * queries * CELL_BYTES);
      for (let i = 0; i < (end - start) * queries; i++) {
        cells.writeFloatLE(scores[start * queries + i] ?? NaN, i * CELL_BYTES);
        cells[i * CELL_BYTES + 4] = 1;
      }
      writeFully(this.descriptor, this.path, cells, first * queries * CELL_BYTES);
      this.written.fill(1, first, first + end - start);
    });
  }

  /** All rows in order; a block's arrays are overwritten by the next. */
  *blocks(): Generator<ScoreBlock, void, undefined> {
    const { rows, queries } = this.layout;
    const perBlock = Math.max(1, Math.floor(BLOCK_BYTES / (queries * CELL_BYTES)));
    const cells = Buffer.alloc(perBlock * queries * CELL_BYTES);
    for (let first = 0; first < rows; first += perBlock) {
      const count = Math.min(perBlock, rows - first);
      readFully(
        this.descriptor,
        cells.subarray(0, count * queries * CELL_BYTES),
        first * queries * CELL_BYTES,
      );
      const cellAt = (row: number, query: number) => (row * queries + query) * CELL_BYTES;
      yield {
        first,
        count,
        scores: Float32Array.from({ length: count * queries }, (_, i) => cells.readFloatLE(i * CELL_BYTES)),
        // The last cell of a row is written last.
        written: Uint8Array.from({ length: count }, (_, row) => cells[cellAt(row, queries - 1) + 4] ?? 0),
      };
    }
  }

  /** Puts the directory in its place. @throws DiskWriteError */
  finish(): void {
    guardWrite(this.path, 0, () => {
      fs.fsyncSync(this.descriptor);
      this.close();
      fs.renameSync(this.part, this.path);
      syncDirectory(path.dirname(path.resolve(this.path)));
    });
  }

  /** Removes what was begun, once it was written down elsewhere. */
  discard(): void {
    this.close();
    guardWrite(this.part, 0, () => {
      fs.rmSync(this.part, { recursive: true });
    });
  }

  /** Leaves what was begun, to go on with. */
  close(): void {
    if (this.open) fs.closeSync(this.descriptor);
    this.open = false;
  }
}

function partOf(file: string): string {
  return `${file}.part`;
}

/** As Bergson writes it: numpy's structured dtype, in JSON. */
function encodeInfo({ rows, queries, tokens }: ScoreLayout): string {
  const numbers = Array.from({ length: queries }, (_, i) => i);
  const info = {
    attribute_tokens: tokens !== undefined,
    num_items: tokens?.examples ?? rows,
    num_rows: rows,
    num_scores: queries,
    dtype: {
      names: numbers.flatMap((i) => [`score_${i}`, `written_${i}`]),
      formats: numbers.flatMap(() => ['float32', 'bool']),
      offsets: numbers.flatMap((i) => [i * CELL_BYTES, i * CELL_BYTES + 4]),
      itemsize: queries * CELL_BYTES,
    },
  };
  return JSON.stringify(info, undefined, 2);
}
