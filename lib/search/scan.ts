/** The scan of a store: every row against every query, block by block, keeping only what may be among the best. */
import { openScanner, type ScanKernel } from '../../kernels/scan/open-scanner';
import type { BlockScanner } from '../../kernels/scan/block-scanner';
import { readRowBytes, type RowFile } from '../store/row-file';
import { Candidates, type Bounded } from './candidates';
import { exactScores, type Scoring } from './exact-scores';

/**
 * How much is read at a time, in bytes: what stays in a processor's own cache for few queries, which are bound by
 * memory; for more, enough rows to multiply by all queries before the next.
 */
const BLOCK_BYTES = { few: 128 * 1024, many: 1024 * 1024 };
const FEW_QUERIES = 4;

/** What every thread that takes part is told. */
export interface ScanTask extends Scoring {
  readonly file: RowFile;
  /** One byte a row, 1 where it is there; undefined where all are. */
  readonly flags: Uint8Array | undefined;
  readonly k: number;
  readonly kernel: ScanKernel;
  /**
   * The largest norm from each row on, [rows], where rows are in order of descending norms: the scan ends where no
   * later row can be among the best or worst.
   */
  readonly norms?: Float32Array;
  /** The next block that nobody has taken, one number, shared between threads. */
  readonly nextBlock: Int32Array;
}

/** What may be among a query's best and worst; scores are multiplied by `scale`. */
export interface QueryCandidates {
  readonly scale: number;
  readonly highest: Bounded;
  readonly lowest: Bounded;
}

/** Blocks of a scan. */
export function blockCount(task: Pick<ScanTask, 'file' | 'queries'>): number {
  return Math.ceil(task.file.rows / blockRows(task));
}

function blockRows({ file, queries }: Pick<ScanTask, 'file' | 'queries'>): number {
  const bytes = file.width * (file.dtype === 'float32' ? 4 : 2);
  const most = queries.length <= FEW_QUERIES ? BLOCK_BYTES.few : BLOCK_BYTES.many;
  return Math.max(1, Math.min(file.rows, Math.floor(most / bytes)));
}

/** Scans block after block until none is left; yields after each. Returns the candidates of each query. */
export function* scanBlocks(task: ScanTask): Generator<void, QueryCandidates[]> {
  const { file, flags, kernel, norms, nextBlock } = task;
  const rows = blockRows(task);
  const question = { ...task, width: file.width, half: file.dtype === 'float16', blockRows: rows };
  const scanner = openScanner(question, kernel);
  const bytesOfRow = scanner.block.length / rows;
  const ends = endsOf(task, scanner);
  for (;;) {
    const first = Atomics.add(nextBlock, 0, 1) * rows;
    if (first >= file.rows || (norms && isOver(norms[first] ?? Infinity, scanner))) break;
    const count = Math.min(rows, file.rows - first);
    readRowBytes(file, first, scanner.block.subarray(0, count * bytesOfRow));
    const written = flags?.slice(first, first + count);
    const factors = file.scales?.subarray(first, first + count);
    for (let row = 0; row < count;) {
      row = scanner.scan(row, count, written, factors);
      take(scanner, first, ends);
    }
    yield;
  }
  return ends.map(({ high, low }, query) => ({
    scale: scanner.scales[query] ?? 1,
    highest: high.bounded(),
    lowest: low.bounded(),
  }));
}

/** Whether rows of at most this norm score less than is asked for, whatever they are: scaled queries have norms up to 1. */
function isOver(norm: number, { highest, lowest, scales }: BlockScanner): boolean {
  const bound = norm * (1 + SLACK);
  return scales.every(
    (_, query) => (highest[query] ?? -Infinity) > bound && (lowest[query] ?? Infinity) < -bound,
  );
}

interface Ends {
  readonly high: Candidates;
  readonly low: Candidates;
}

function endsOf({ file, k, ...scoring }: ScanTask, { scales }: BlockScanner): Ends[] {
  return scoring.queries.map((_, query) => {
    const resolve = (rows: readonly number[]) => {
      const scores = exactScores(
        file,
        scoring,
        rows.map((row) => ({ row, query })),
      );
      return scores.map((score) => score * (scales[query] ?? 1));
    };
    return { high: new Candidates(k, 1, resolve), low: new Candidates(k, -1, resolve) };
  });
}

/** Hands hits to the candidates, and the thresholds that come of them back to the scanner. */
function take({ hits, highest, lowest }: BlockScanner, first: number, ends: readonly Ends[]): void {
  for (let hit = 0; hit < hits.count; hit++) {
    const [row, score, margin] = [first + hits.row(hit), hits.score(hit), hits.margin(hit)];
    const end = ends[hits.query(hit)];
    end?.high.offer(row, score, margin);
    end?.low.offer(row, score, margin);
  }
  if (hits.count === 0) return;
  ends.forEach(({ high, low }, query) => {
    highest[query] = high.threshold - SLACK * Math.abs(high.threshold);
    lowest[query] = low.threshold + SLACK * Math.abs(low.threshold);
  });
}

/** More than rounding a threshold to float32 moves it. */
const SLACK = 2 ** -22;
