/** Errors of the query tool, each saying when it is thrown. */
import { BergsonError } from '../../lib/errors';

/** Thrown when queries cannot be read: no file, nothing in it, not JSON, or not the shapes the model takes. */
export class QueryInputError extends BergsonError {
  constructor(
    /** The file, and the line or query in it. */
    readonly where: string,
    readonly reason: string,
    options?: { cause?: unknown },
  ) {
    super(`${where}: ${reason}`, options);
  }
}

/** Thrown when the language model that a run is of is not where it was. */
export class ModelFolderError extends BergsonError {
  constructor(
    readonly run: string,
    readonly directory: string,
  ) {
    super(
      `the model of ${run} is not at ${directory}; ` +
        'say where it is with `--model DIR`, or query by `--example`, which needs no model',
    );
  }
}

/** Thrown when a run's saved model cannot be loaded and compiled from its files alone. */
export class SavedModelError extends BergsonError {
  constructor(
    readonly run: string,
    readonly reason: string,
    options?: { cause?: unknown },
  ) {
    super(
      `the model of ${run} cannot be used from here: ${reason}; ` +
        'build and compile it in a program and call `Attributor.trace` there, or query by `--example`',
      options,
    );
  }
}
