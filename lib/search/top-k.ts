/** Keeps the best k of a stream of scored examples. */
import type { Neighbor } from './gradient-index';

/**
 * A heap of at most k entries with the worst on top. `sign` 1 keeps the highest scores, -1 the lowest; of
 * equal scores the lower example ids are kept.
 */
export class TopK {
  private readonly keys: Float64Array; // sign * score: higher is better
  private readonly examples: Float64Array;
  private size = 0;

  constructor(
    private readonly k: number,
    private readonly sign: 1 | -1,
  ) {
    this.keys = new Float64Array(k);
    this.examples = new Float64Array(k);
  }

  /** Offers one example, in any order. */
  push(example: number, score: number): void {
    const key = this.sign * score;
    if (this.size < this.k) {
      this.riseFrom(this.size++, key, example);
    } else if (this.worse(0, key, example)) {
      this.sinkFromTop(key, example);
    }
  }

  /** What was kept, best first. */
  sorted(): Neighbor[] {
    return Array.from({ length: this.size }, (_, i) => ({
      example: this.examples[i] ?? 0,
      score: this.sign * (this.keys[i] ?? 0) + 0, // + 0 turns -0 into 0
    })).sort((a, b) => this.sign * (b.score - a.score) || a.example - b.example);
  }

  /** Whether the entry in `slot` is worse than (key, example). */
  private worse(slot: number, key: number, example: number): boolean {
    const other = this.keys[slot] ?? 0;
    return other < key || (other === key && (this.examples[slot] ?? 0) > example);
  }

  private place(slot: number, key: number, example: number): void {
    this.keys[slot] = key;
    this.examples[slot] = example;
  }

  private riseFrom(start: number, key: number, example: number): void {
    let slot = start;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      if (this.worse(parent, key, example)) break;
      this.place(slot, this.keys[parent] ?? 0, this.examples[parent] ?? 0);
      slot = parent;
    }
    this.place(slot, key, example);
  }

  private sinkFromTop(key: number, example: number): void {
    let slot = 0;
    for (;;) {
      let child = 2 * slot + 1;
      if (child >= this.size) break;
      const right = child + 1;
      if (right < this.size && this.worse(right, this.keys[child] ?? 0, this.examples[child] ?? 0))
        child = right;
      if (!this.worse(child, key, example)) break;
      this.place(slot, this.keys[child] ?? 0, this.examples[child] ?? 0);
      slot = child;
    }
    this.place(slot, key, example);
  }
}
