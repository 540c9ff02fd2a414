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

/** Thrown when a model is to ask a run that was imported. */
export class ImportedRunError extends BergsonError {
  constructor(
    readonly run: string,
    readonly imported: string,
  ) {
    super(
      `${run} was imported from ${imported}, whose gradients Bergson projected by matrices of its own, so no gradient ` +
        'made here can be compared with them; query by its own rows, or build a run here',
    );
  }
}
