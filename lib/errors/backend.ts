/** Errors of set-up and of choosing a backend. */
import { BergsonError } from './bergson-error';

/** Thrown by `loadBackend` when the backend asked for does not exist or does not load. */
export class BackendUnavailableError extends BergsonError {
  constructor(
    readonly backend: string,
    readonly reason: string,
    options?: { cause?: unknown },
  ) {
    super(
      `the \`${backend}\` backend is not available: ${reason}. Run \`bergson setup\`, or unset BERGSON_BACKEND to take the best that loads`,
      options,
    );
  }
}
