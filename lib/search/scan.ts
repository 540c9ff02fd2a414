/** The scan of a store: every row against every query, block by block, keeping only what may be among the best. */
import { openScanner, type ScanKernel } from '../../kernels/scan/open-scanner';
import type { BlockScanner, Doubt } from '../../kernels/scan/block-scanner';
import { readRowBytes, type RowFile } from '../store/row-file';
import { Candidates, type Bounded, type Collector } from './candidates';
import { exactScores, type Scoring } from './exact-scores';
import { Likeliest } from './likeliest';

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
  /** What rows are of, where they are a sketch of others whose best and worst are looked for. */
  readonly sketch?: Sketch;
  /** The next block that nobody has taken, one number, shared between threads. */
  readonly nextBlock: Int32Array;
}

/** Rows in the place of longer ones, in the order of whose norms they lie: the scan ends where these are too small. */
export interface Sketch {
  /** What the norms of the rows themselves do not exceed, descending: [rows]. */
  readonly norms: Float32Array;
  /** The norms of what is missing from the sketch: [rows]. */
  readonly residuals: Float32Array;
  /** How far each query's scores are taken to be off: no certainty. */
  readonly doubts: readonly Doubt[];
  /** Rows that are kept for a query and end. */
  readonly most: number;
}

/** What may be among a query's best and worst; scores are multiplied by `scale`. */
export interface QueryCandidates {
  readonly scale: number;
  readonly highest: Bounded;
  readonly lowest: Bounded;
}

type BlockedTask = Pick<ScanTask, 'file' | 'queries' | 'sketch'>;

/** Blocks of a scan. */
export function blockCount(task: BlockedTask): number {
  return Math.ceil(task.file.rows / blockRows(task));
}

function blockRows({ file, queries, sketch }: BlockedTask): number {
  const bytes = file.width * (file.dtype === 'float32' ? 4 : 2);
  // Of a sketch few rows may be all that are looked at.
  const most = sketch || queries.length <= FEW_QUERIES ? BLOCK_BYTES.few : BLOCK_BYTES.many;
  return Math.max(1, Math.min(file.rows, Math.floor(most / bytes)));
}

/**
 * Scans block after block until `limit` were taken, none is left, or none can hold anything, after which nobody takes
 * one; yields after each. Returns the candidates of each query.
 */
export function* scanBlocks(task: ScanTask, limit = Infinity): Generator<void, QueryCandidates[]> {
  const { file, flags, kernel, sketch, nextBlock } = task;
  const rows = blockRows(task);
  const facts = { width: file.width, half: file.dtype === 'float16', blockRows: rows };
  const scanner = openScanner({ ...task, ...facts, ...(sketch && { doubts: sketch.doubts }) }, kernel);
  const bytesOfRow = scanner.block.length / rows;
  const ends = Array.from(scanner.scales, (scale, query) => ({
    high: collector(task, query, 1, scale),
    low: collector(task, query, -1, scale),
  }));
  const isOver = sketch && endOf(task, sketch, scanner);
  for (let taken = 0; taken < limit; taken++) {
    const first = Atomics.add(nextBlock, 0, 1) * rows;
    if (first >= file.rows) break;
    if (isOver?.(first)) {
      Atomics.store(nextBlock, 0, blockCount(task));
      break;
    }
    const count = Math.min(rows, file.rows - first);
    readRowBytes(file, first, scanner.block.subarray(0, count * bytesOfRow));
    const written = flags?.slice(first, first + count);
    const factors = file.scales?.subarray(first, first + count);
    const residuals = sketch?.residuals.slice(first, first + count);
    for (let row = 0; row < count;) {
      row = scanner.scan(row, count, written, factors, residuals);
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

/**
 * Whether no row from `first` on scores as is asked for. By Cauchy and Schwarz |p·s| + d t <= |r| sqrt(|p|² + d²) for a query p, a
 * row r with its sketch s and its residual t, as |s|² + t² = |r|².
 */
function endOf(
  { queries }: ScanTask,
  { norms, doubts }: Sketch,
  { highest, lowest, scales }: BlockScanner,
): (first: number) => boolean {
  const reaches = queries.map((query, i) => {
    const { ofNorm, ofResidual } = doubts[i] ?? { ofNorm: 0, ofResidual: 0 };
    const squares = query.reduce((sum, value) => sum + value * value, ofResidual ** 2);
    return (Math.sqrt(squares) + ofNorm) * (scales[i] ?? 1) * (1 + ROUNDING);
  });
  return (first) => {
    const norm = norms[first] ?? Infinity;
    return reaches.every(
      (reach, i) => (highest[i] ?? -Infinity) > norm * reach && (lowest[i] ?? Infinity) < -norm * reach,
    );
  };
}

interface Ends {
  readonly high: Collector;
  readonly low: Collector;
}

/** Keeps what may be among the best of a query, or the worst for `sign` -1; scores are multiplied by `scale`. */
export function collector(
  { file, k, sketch, ...scoring }: Pick<ScanTask, 'file' | 'k' | 'sketch'> & Scoring,
  query: number,
  sign: 1 | -1,
  scale: number,
): Collector {
  if (sketch) return new Likeliest(k, sign, sketch.most);
  return new Candidates(k, sign, (rows) => {
    const pairs = rows.map((row) => ({ row, query }));
    return exactScores(file, scoring, pairs).map((score) => score * scale);
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

/** More than float32 may add to a score, relative to norms, for the few columns that sketches have. */
const ROUNDING = 2 ** -12;
