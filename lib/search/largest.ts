/** The k largest of a stream of numbers. */

/** A heap with the smallest of them on top. */
export class Largest {
  private readonly heap: Float64Array;

  constructor(k: number) {
    this.heap = new Float64Array(k).fill(-Infinity);
  }

  /** -Infinity until there were k. */
  get smallest(): number {
    return this.heap[0] ?? -Infinity;
  }

  offer(value: number): void {
    const { heap } = this;
    if (value <= this.smallest) return;
    let slot = 0;
    for (;;) {
      let child = 2 * slot + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] ?? 0) < (heap[child] ?? 0)) child++;
      if ((heap[child] ?? 0) >= value) break;
      heap[slot] = heap[child] ?? 0;
      slot = child;
    }
    heap[slot] = value;
  }
}
