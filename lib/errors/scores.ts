/** Errors of files of scores. */
import { BergsonError } from './bergson-error';

/** Thrown when something lies where scores are to be written. */
export class ScoresExistError extends BergsonError {
  constructor(readonly path: string) {
    super(`${path} exists already; choose another path, or remove it`);
  }
}

/** Thrown when scores were begun with other queries, data or options. */
export class ScoresMismatchError extends BergsonError {
  constructor(readonly path: string) {
    super(
      `${path} was begun with other queries, data or options; ask for the same to go on with it, or remove it`,
    );
  }
}
