/** Errors of runs. */
import { BergsonError, quote } from './bergson-error';

/** Thrown when a run's directory exists and is not empty. */
export class RunExistsError extends BergsonError {
  constructor(readonly path: string) {
    super(`${path} exists and is not empty; choose another \`path\`, or remove it`);
  }
}

/** Thrown when a directory is not a run. */
export class RunNotFoundError extends BergsonError {
  constructor(
    readonly path: string,
    readonly reason: string,
    options?: { cause?: unknown },
  ) {
    super(`${path} is not a run: ${reason}; pass the \`path\` a collector was given`, options);
  }
}

/** Thrown when a run holds no gradient store of the name asked for, or none at all. */
export class UnknownStoreError extends BergsonError {
  constructor(
    readonly run: string,
    readonly store: string | undefined,
    readonly stores: readonly string[],
  ) {
    const held = stores.length === 0 ? 'no gradient store' : quote(stores);
    super(`${run} has no store ${store === undefined ? '' : `\`${store}\` `}to search; it holds ${held}`);
  }
}

/** Thrown when a model is not the one a run was made with. */
export class ModelMismatchError extends BergsonError {
  constructor(
    readonly what: string,
    readonly expected: string,
    readonly found: string,
    options?: { cause?: unknown },
  ) {
    super(
      `the run was made with ${what} ${expected}, and this model has ${found}; open the run with its own model`,
      options,
    );
  }
}
