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

/** Thrown when rows of several runs are to be ranked together, and were not made alike. */
export class IncomparableRunsError extends BergsonError {
  constructor(
    readonly left: string,
    readonly right: string,
    /** What differs: layers, projection, normalizer, weights, … */
    readonly field: string,
    readonly leftValue: string,
    readonly rightValue: string,
  ) {
    super(
      `${left} and ${right} cannot be ranked together, since they differ in ${field} (${leftValue} against ${rightValue}); ` +
        (OTHER_WEIGHTS.includes(field)
          ? 'with `otherWeights` gradients under other weights are compared all the same'
          : 'collect both with the same model and options, or ask each by itself'),
    );
  }
}

const OTHER_WEIGHTS = ['weights', 'second moments'];

/** Thrown when a call that would go on with a run asks for something else than the run was begun with. */
export class RunMismatchError extends BergsonError {
  constructor(
    readonly path: string,
    readonly what: string,
    readonly expected: string,
    readonly found: string,
  ) {
    super(
      `${path} was begun with ${what} ${expected}, and is now asked for ${found}; ` +
        'pass the same again to go on, or another path to begin anew',
    );
  }
}

/** Thrown when what is asked of a build is none of what may be. */
export class InvalidConfigError extends BergsonError {
  constructor(
    readonly where: string,
    readonly field: string,
    readonly value: unknown,
    readonly allowed: string,
    options?: { cause?: unknown },
  ) {
    super(`${where}: \`${field}\` is ${JSON.stringify(value)}; it must be ${allowed}`, options);
  }
}

/** Thrown when there is not one example to collect the gradient of. */
export class NoExamplesError extends BergsonError {
  constructor(readonly reason: string) {
    super(`there are no examples: ${reason}; pass a data set that holds at least one`);
  }
}

/** Thrown when a pass over a frozen model meets an example a second time. */
export class RepeatedExampleError extends BergsonError {
  constructor(readonly example: number) {
    super(`example ${example} came twice in one pass; give every example an id, and each id to one example`);
  }
}

/** Thrown when a score is to be taken apart by layer, and rows are one projection over all layers. */
export class GlobalRowsError extends BergsonError {
  constructor(readonly run: string) {
    super(
      `a row of ${run} is one projection of all layers, which no score can be taken apart by; ` +
        "collect with `projectionTarget: 'module'` for that",
    );
  }
}
