/** Scans blocks by WebAssembly, where the native addon is not built: same question, same hits within the same margins. */
import {
  PackedHits,
  scaleQueries,
  type BlockScanner,
  type ScaledQuery,
  type ScanQuestion,
} from './block-scanner';
import { PANEL } from './margin';
import { SCAN_WASM } from './scan-wasm';

/** Rows whose scores are computed together; a multiple of what each function takes at once. */
const TILE_ROWS = 16;

/** A lane of four sums a panel of the margin's. */
const COLUMNS = 4 * PANEL;

const LEAST_ROOM = 16_384;
const PAGE = 65_536;

/** Below it float32 may have lost some to underflow. */
const SMALLEST_SQUARES = 2 ** -90;

/** Of rows with a factor: between them scores neither overflow nor lose to underflow when they are multiplied by it. */
const SMALLEST_NORM = 2 ** -90;
const LARGEST_NORM = 2 ** 120;

/** From it on a float16 row may hold infinity or NaN, which the kernel reads as 65,536 and more. */
const LARGEST_HALF_SQUARES = 2 ** 32;

type Multiply = (
  row: number,
  rowBytes: number,
  query: number,
  queryBytes: number,
  count: number,
  sum: number,
  sumBytes: number,
) => void;

/** What is used of WebAssembly, whose types are the DOM's. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { readonly exports: unknown };
};

interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly widen: (from: number, half: number, count: number, to: number, spare: number) => number;
  readonly multiplyTwoByFour: Multiply;
  readonly multiplyFourByOne: Multiply;
}

let compiled: object | undefined;

export class WasmScanner implements BlockScanner {
  readonly block: Uint8Array;
  readonly scales: Float64Array;
  readonly highest: Float32Array;
  readonly lowest: Float32Array;
  readonly hits: PackedHits;
  private readonly kernel: Kernel;
  private readonly scaled: readonly ScaledQuery[];
  private readonly sums: Float32Array;
  private readonly squares = new Float64Array(TILE_ROWS);
  /** Addresses of queries [padded, stride], widened rows [TILE_ROWS, COLUMNS], sums [TILE_ROWS, padded] and 16 bytes. */
  private readonly at: {
    readonly queries: number;
    readonly tile: number;
    readonly sums: number;
    readonly spare: number;
  };
  /** Numbers from one query to the next: panels lie one after another, each filled up to a multiple of four. */
  private readonly stride: number;
  /** Queries, filled up with zeros. */
  private readonly padded: number;
  private readonly panels: readonly Panel[];

  constructor(private readonly question: ScanQuestion) {
    const { width, half, blockRows } = question;
    this.scaled = scaleQueries(question);
    const count = this.scaled.length;
    this.padded = count === 1 ? 1 : 4 * Math.ceil(count / 4);
    this.panels = panelsOf(question);
    this.stride = this.panels.reduce((sum, { padded }) => sum + padded, 0);
    const bytes = blockRows * width * (half ? 2 : 4);
    const queries = 16 * Math.ceil(bytes / 16);
    const tile = queries + 4 * this.padded * this.stride;
    const sums = tile + 4 * TILE_ROWS * COLUMNS;
    const spare = sums + 4 * TILE_ROWS * this.padded;
    this.at = { queries, tile, sums, spare };
    this.kernel = instantiate(spare + 16);
    const { buffer } = this.kernel.memory;
    this.block = new Uint8Array(buffer, 0, bytes);
    this.sums = new Float32Array(buffer, sums, TILE_ROWS * this.padded);
    const packed = new Float32Array(buffer, queries, this.padded * this.stride);
    this.scaled.forEach(({ values }, query) => {
      let to = query * this.stride;
      for (const { done, columns, padded } of this.panels) {
        packed.set(values.subarray(done, done + columns), to);
        to += padded;
      }
    });
    this.scales = Float64Array.from(this.scaled, ({ scale }) => scale);
    this.highest = new Float32Array(count).fill(-Infinity);
    this.lowest = new Float32Array(count).fill(Infinity);
    this.hits = new PackedHits(new Float32Array(4 * Math.max(LEAST_ROOM, 2 * TILE_ROWS * count)));
  }

  scan(
    first: number,
    count: number,
    written?: Uint8Array,
    factors?: Float32Array,
    residuals?: Float32Array,
  ): number {
    const { hits, scaled } = this;
    hits.count = 0;
    let next = first;
    while (next < count) {
      const rows = Math.min(TILE_ROWS, count - next);
      if (4 * (hits.count + rows * scaled.length) > hits.floats.length) break;
      this.scoreTile(next, rows);
      for (let row = 0; row < rows; row++) {
        if (written !== undefined && written[next + row] !== 1) continue;
        this.select(next + row, row, factors?.[next + row], residuals?.[next + row]);
      }
      next += rows;
    }
    return next;
  }

  /** Fills in scores and sums of squares of rows from `first` on. */
  private scoreTile(first: number, rows: number): void {
    const { kernel, at, padded, stride, question, squares } = this;
    const { width, half } = question;
    this.sums.fill(0);
    squares.fill(0);
    let offset = 0;
    for (const panel of this.panels) {
      for (let row = 0; row < rows; row++) {
        const from = ((first + row) * width + panel.begin) * (half ? 2 : 4);
        const to = at.tile + 4 * row * COLUMNS;
        squares[row]! += kernel.widen(from, +half, panel.columns, to, at.spare);
      }
      const queries = at.queries + 4 * offset;
      const [together, multiply] =
        padded === 1 ? [4, kernel.multiplyFourByOne] : [2, kernel.multiplyTwoByFour];
      for (let row = 0; row < rows; row += together) {
        const from = at.tile + 4 * row * COLUMNS;
        for (let query = 0; query < padded; query += 4) {
          const sum = at.sums + 4 * (row * padded + query);
          const of = queries + 4 * query * stride;
          multiply(from, 4 * COLUMNS, of, 4 * stride, panel.padded, sum, 4 * padded);
        }
      }
      offset += panel.padded;
    }
  }

  /** Adds hits of the row, whose scores are the tile's `at`-th; comparisons are such that what is no number is a hit. */
  private select(row: number, at: number, factor = 1, residual = 0): void {
    const { hits, scaled, sums, padded, highest, lowest, question } = this;
    const { unitNorm } = question;
    const squares = this.squares[at]!;
    const norm = Math.sqrt(squares) * (unitNorm ? 1 : factor);
    const zero = squares < SMALLEST_SQUARES && this.isZero(row);
    const unknown =
      !zero &&
      (squares < SMALLEST_SQUARES ||
        !(squares < (question.half ? LARGEST_HALF_SQUARES : Infinity)) ||
        (factor !== 1 && !(norm > SMALLEST_NORM && norm < LARGEST_NORM)));
    for (let query = 0; query < scaled.length; query++) {
      const scale = zero ? 0 : !unitNorm ? factor : unknown ? 1 : 1 / norm;
      const score = sums[at * padded + query]! * scale;
      const { margin: ofNorm, residualMargin } = scaled[query]!;
      const known = zero ? 0 : ofNorm * (unitNorm ? 1 : norm);
      const margin = unknown ? Infinity : known + residualMargin * residual;
      if (score + margin < highest[query]! && score - margin > lowest[query]!) continue;
      hits.add(row, query, score, margin);
    }
  }

  private isZero(row: number): boolean {
    const { block, question } = this;
    const { width, half, ranges } = question;
    const bytes = half ? 2 : 4;
    return ranges.every(({ begin, end }) => {
      const numbers = block.subarray((row * width + begin) * bytes, (row * width + end) * bytes);
      return numbers.every((byte, i) => (i % bytes === bytes - 1 ? byte & 0x7f : byte) === 0);
    });
  }
}

interface Panel {
  /** Its first column in a row, and how many columns lie before it in those that count. */
  readonly begin: number;
  readonly done: number;
  readonly columns: number;
  /** Columns, filled up to a multiple of four. */
  readonly padded: number;
}

function panelsOf({ ranges }: ScanQuestion): Panel[] {
  const panels: Panel[] = [];
  let done = 0;
  for (const { begin, end } of ranges) {
    for (let column = begin; column < end; column += COLUMNS) {
      const columns = Math.min(COLUMNS, end - column);
      panels.push({ begin: column, done, columns, padded: 4 * Math.ceil(columns / 4) });
      done += columns;
    }
  }
  return panels;
}

function instantiate(bytes: number): Kernel {
  compiled ??= new WebAssembly.Module(Buffer.from(SCAN_WASM, 'base64'));
  const kernel = new WebAssembly.Instance(compiled).exports as Kernel;
  const missing = bytes - kernel.memory.buffer.byteLength;
  if (missing > 0) kernel.memory.grow(Math.ceil(missing / PAGE));
  return kernel;
}
