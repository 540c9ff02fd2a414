/** Errors of searching. */
import { BergsonError } from './bergson-error';

/** Thrown when a search asks for more neighbors than there are rows. */
export class KTooLargeError extends BergsonError {
  constructor(
    readonly k: number,
    readonly rows: number,
  ) {
    super(
      rows === 0
        ? 'there is nothing to search: no row is written yet; wait until the run has some'
        : `k must be a whole number from 1 to the ${rows} rows held, found ${k}`,
    );
  }
}

/** Thrown when nothing is asked: no row to search with, or a batch of no examples. */
export class EmptyQueryError extends BergsonError {
  constructor(readonly found: string) {
    super(`a query must have at least one example or row, found ${found}`);
  }
}

/** Thrown when a layer is named that the store has no columns for. */
export class UnknownColumnError extends BergsonError {
  constructor(
    readonly layer: string,
    readonly known: readonly string[],
  ) {
    super(`the store has no layer \`${layer}\`; it has ${known.map((name) => `\`${name}\``).join(', ')}`);
  }
}

/** Thrown when hnswlib-node cannot be loaded; exact search needs nothing. */
export class HnswUnavailableError extends BergsonError {
  constructor(readonly detail: string) {
    super(`hnswlib-node does not load (${detail}); run \`npm rebuild hnswlib-node\`, or search exactly`);
  }
}

/** Thrown when a thread that searches, or builds an index, fails: out of memory, a full disk, a bug. */
export class SearchThreadError extends BergsonError {
  constructor(
    readonly detail: string,
    options?: { cause?: unknown },
  ) {
    super(`a thread that searches failed (${detail}); free memory and disk and try again`, options);
  }
}

/** Thrown when an index on disk does not belong to the store it lies in, or its file is damaged. */
export class IndexMismatchError extends BergsonError {
  constructor(
    readonly path: string,
    readonly field: string,
    readonly expected: number | string,
    readonly found: number | string,
  ) {
    super(`${path} does not fit its store: expected ${field} ${expected}, found ${found}; build it again`);
  }
}
