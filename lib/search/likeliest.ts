/** The rows that are likeliest to be among the best k for a query, when margins are no certainty. */
import type { Bounded, Collector } from './candidates';
import { Largest } from './largest';

interface Entry {
  readonly row: number;
  readonly score: number;
  readonly margin: number;
  /** The score's better end, and its worse one; higher is better. */
  readonly upper: number;
  readonly lower: number;
}

/**
 * Of the rows that are offered, the `most` whose scores may be the best (of equal ones the lower rows), and of
 * these all that k others are not better than whatever their scores are within their margins. Which those are
 * depends neither on the order of offers, nor on a division of the rows between several of these whose rows are
 * offered to another: only such rows are refused before the end as `most` others, or the k best, are above.
 */
export class Likeliest implements Collector {
  private entries: Entry[] = [];
  private readonly lowerBounds: Largest;
  /** What `most` rows reach. */
  private floor = -Infinity;

  constructor(
    private readonly k: number,
    private readonly sign: 1 | -1,
    private readonly most: number,
  ) {
    this.lowerBounds = new Largest(k);
  }

  get threshold(): number {
    return this.sign * Math.max(this.floor, this.lowerBounds.smallest);
  }

  offer(row: number, score: number, margin: number): void {
    const key = this.sign * score;
    const [upper, lower] = [key + margin, key - margin];
    if (upper < this.floor || upper < this.lowerBounds.smallest) return;
    this.entries.push({ row, score, margin, upper, lower });
    this.lowerBounds.offer(lower);
    if (this.entries.length >= 2 * this.most) this.cut();
  }

  bounded(): Bounded {
    this.cut();
    const lowerBounds = new Largest(this.k);
    for (const { lower } of this.entries) lowerBounds.offer(lower);
    const kept = this.entries.filter(({ upper }) => upper >= lowerBounds.smallest);
    const numbers = (of: (entry: Entry) => number) => Float64Array.from(kept, of);
    return {
      rows: numbers(({ row }) => row),
      scores: numbers(({ score }) => score),
      margins: numbers(({ margin }) => margin),
    };
  }

  private cut(): void {
    const { lowerBounds, most } = this;
    const left = this.entries.filter(({ upper }) => upper >= lowerBounds.smallest);
    left.sort((a, b) => b.upper - a.upper || a.row - b.row);
    this.entries = left.slice(0, most);
    if (left.length > most) this.floor = this.entries.at(-1)?.upper ?? -Infinity;
  }
}
