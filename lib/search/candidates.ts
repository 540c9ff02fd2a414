/** Which rows may still be among the best k for a query, when scores are known within margins. */
import { Largest } from './largest';

/** Rows with their scores within margins; all three [n]. */
export interface Bounded {
  readonly rows: Float64Array;
  readonly scores: Float64Array;
  readonly margins: Float64Array;
}

/** Keeps some of the rows that it is offered, of one end of a ranking. */
export interface Collector {
  /** What a score has to reach; -Infinity (Infinity for the lowest) while any will do. */
  readonly threshold: number;
  offer(row: number, score: number, margin: number): void;
  /** What is left. */
  bounded(): Bounded;
}

/** Room beside twice k: below it nothing is dropped. */
const ROOM = 1024;

/**
 * Keeps every row that may be among the best k of those offered: the highest scores for `sign` 1, the lowest for -1,
 * of equal scores the lower rows. Holds 2 k + 1,024 rows at most: where more are too close to tell apart, `resolve` gives the
 * exact scores of some, and the best k of them stay.
 */
export class Candidates implements Collector {
  private readonly rows: Float64Array;
  private readonly scores: Float64Array;
  private readonly margins: Float64Array;
  private size = 0;
  private lowerBounds: Largest;

  constructor(
    private readonly k: number,
    private readonly sign: 1 | -1,
    private readonly resolve: (rows: readonly number[]) => Float64Array,
  ) {
    const capacity = 2 * k + ROOM;
    this.rows = new Float64Array(capacity);
    this.scores = new Float64Array(capacity);
    this.margins = new Float64Array(capacity);
    this.lowerBounds = new Largest(k);
  }

  /** k rows certainly reach it. */
  get threshold(): number {
    return this.sign * this.lowerBounds.smallest;
  }

  offer(row: number, score: number, margin: number): void {
    const key = this.sign * score;
    const floor = this.lowerBounds.smallest;
    if (key + margin < floor) return; // false for what is no number, which therefore stays
    if (this.size === this.rows.length) {
      this.shrink();
      this.offer(row, score, margin);
      return;
    }
    this.rows[this.size] = row;
    this.scores[this.size] = score;
    this.margins[this.size] = margin;
    this.size++;
    this.lowerBounds.offer(lowerBound(key, margin));
  }

  bounded(): Bounded {
    this.prune();
    return {
      rows: this.rows.slice(0, this.size),
      scores: this.scores.slice(0, this.size),
      margins: this.margins.slice(0, this.size),
    };
  }

  private shrink(): void {
    this.prune();
    if (2 * this.size <= this.rows.length) return;
    const rows = Array.from(this.rows.subarray(0, this.size));
    const unsure = rows.filter((_, i) => this.margins[i] !== 0);
    const resolved = new Map<number, number>();
    this.resolve(unsure).forEach((score, i) => resolved.set(unsure[i] ?? 0, score));
    const exact = rows.map((row, i) => ({ row, score: resolved.get(row) ?? this.scores[i] ?? NaN }));
    exact.sort((a, b) => this.sign * (b.score - a.score) || a.row - b.row);
    this.size = 0;
    this.lowerBounds = new Largest(this.k);
    for (const { row, score } of exact.slice(0, this.k)) this.offer(row, score, 0);
  }

  /** Drops what is certainly below the best k. */
  private prune(): void {
    const floor = this.lowerBounds.smallest;
    let kept = 0;
    for (let i = 0; i < this.size; i++) {
      const [row = 0, score = 0, margin = 0] = [this.rows[i], this.scores[i], this.margins[i]];
      if (this.sign * score + margin < floor) continue;
      this.rows[kept] = row;
      this.scores[kept] = score;
      this.margins[kept] = margin;
      kept++;
    }
    this.size = kept;
  }
}

function lowerBound(key: number, margin: number): number {
  const bound = key - margin;
  return Number.isNaN(bound) ? -Infinity : bound;
}
