/** How long what is left of some work will take. */

/**
 * Goes by the pace of all that was done so far, in units that take about the same time each; but for the first update, which
 * is slower than the rest as memory is allocated, and for what was skipped.
 */
export class RemainingTime {
  private done = 0;
  /** When the last update came. */
  private last: number;
  /** Units that were timed, and the milliseconds that they took. */
  private readonly timed = { units: 0, milliseconds: 0 };
  private updates = 0;

  /** Of `total` units, begun at the time `now` in milliseconds. */
  constructor(
    private readonly total: number,
    now: number,
  ) {
    this.last = now;
  }

  /** So many units are done in all. */
  update(done: number, now: number): void {
    if (this.updates++ > 0) {
      this.timed.units += done - this.done;
      this.timed.milliseconds += now - this.last;
    }
    this.skip(done, now);
  }

  /** So many units are done in all, those since the last call without being worked on. */
  skip(done: number, now: number): void {
    this.done = done;
    this.last = now;
  }

  /** Seconds; undefined while there is no pace to go by. */
  get seconds(): number | undefined {
    const { units, milliseconds } = this.timed;
    if (units <= 0) return undefined;
    return Math.max(0, ((this.total - this.done) * milliseconds) / units / 1000);
  }
}
