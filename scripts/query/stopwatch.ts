/** How long answers take. */
import { performance } from 'node:perf_hooks';

/** Milliseconds, of what was asked since the last answer. */
export interface Took {
  /** Loading the model, which only the first query waits for. */
  readonly load: number;
  /** Making the rows of queries. */
  readonly gradients: number;
  /** Searching, and reading what is known of the examples that were found. */
  readonly search: number;
}

export class Stopwatch {
  private spent: Took = NOTHING;

  /** What `action` returns; the time it takes is added to `what`. */
  async measure<T>(what: keyof Took, action: () => Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await action();
    } finally {
      this.spent = { ...this.spent, [what]: this.spent[what] + performance.now() - start };
    }
  }

  /** What was measured since the last lap. */
  lap(): Took {
    const { spent } = this;
    this.spent = NOTHING;
    return spent;
  }
}

const NOTHING: Took = { load: 0, gradients: 0, search: 0 };

/** A line that says how long an answer took. */
export function describeTook({ load, gradients, search }: Took): string {
  const parts = [
    ...(gradients > 0 ? [`${milliseconds(gradients)} for gradients`] : []),
    `${milliseconds(search)} for the search`,
  ];
  const loading = load > 0 ? `, after ${(load / 1000).toFixed(1)} s of loading the model` : '';
  return `Answered in ${milliseconds(gradients + search)}${loading}: ${parts.join(', ')}.`;
}

function milliseconds(time: number): string {
  return `${time < 10 ? time.toFixed(1) : time.toFixed(0)} ms`;
}
