/** Errors of set-up. */
import { BergsonError } from '../../lib/errors';

/** Thrown by `bergson setup` when something that was asked for by an option cannot be set up. */
export class SetupError extends BergsonError {
  constructor(
    readonly step: string,
    readonly reason: string,
    options?: { cause?: unknown },
  ) {
    super(`could not ${step}: ${reason}`, options);
  }
}
