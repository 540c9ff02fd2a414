/** Errors of files of scores. */
import { BergsonError } from './bergson-error';

/** Thrown when scores were begun with other queries, data or options. */
export class ScoresMismatchError extends BergsonError {
  constructor(readonly path: string) {
    super(
      `${path} was begun with other queries, data or options; ask for the same to go on with it, or remove it`,
    );
  }
}
