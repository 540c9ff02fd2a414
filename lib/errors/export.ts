/** Errors of exporting and importing. */
import { BergsonError } from './bergson-error';

/** Thrown when something lies where a file or folder is to be written. */
export class OutputExistsError extends BergsonError {
  constructor(readonly path: string) {
    super(`${path} exists already; choose another path, or remove it`);
  }
}

/** Thrown when a run does not hold what is to be exported, or not for the format asked for. */
export class ExportError extends BergsonError {
  constructor(
    readonly run: string,
    readonly reason: string,
  ) {
    super(`${run} cannot be exported so: ${reason}`);
  }
}

/** Thrown when a directory is not an index that Bergson wrote. */
export class ImportError extends BergsonError {
  constructor(
    readonly path: string,
    readonly reason: string,
  ) {
    super(`${path} is not an index of Bergson's: ${reason}; pass the directory that holds gradients.bin`);
  }
}

/** Thrown when a model is to ask an index that Bergson wrote, and gradients like its rows cannot be made here. */
export class ImportModelError extends BergsonError {
  constructor(
    readonly path: string,
    readonly reason: string,
    options?: { cause?: unknown },
  ) {
    super(
      `${path} cannot be asked by a model: ${reason}; import it without one, and query by its own rows`,
      options,
    );
  }
}

/** Thrown when a model is to ask a run that was imported without one. */
export class ImportedRunError extends BergsonError {
  constructor(
    readonly run: string,
    readonly imported: string,
  ) {
    super(
      `${run} was imported from ${imported} without a model; query by its own rows, or import it again by ` +
        `\`bergson import ${imported} RUN --model FOLDER\``,
    );
  }
}
