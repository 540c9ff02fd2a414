/** Errors of preconditioners. */
import { BergsonError } from './bergson-error';

/** Thrown when a layer's rows are too wide for a matrix of their width squared to be decomposed. */
export class AutocorrelationWidthError extends BergsonError {
  constructor(
    readonly layer: string,
    readonly width: number,
    readonly widest: number,
  ) {
    super(
      `layer \`${layer}\` has ${width} numbers a row, and matrices of up to ${widest} are decomposed on this backend; ` +
        'collect with a smaller `projectionDim`, or split the layer by `attention` heads',
    );
  }
}

/** Thrown when a layer's autocorrelation has no inverse: fewer examples than numbers a row, or dependent ones. */
export class SingularAutocorrelationError extends BergsonError {
  constructor(
    readonly layer: string,
    readonly smallest: number,
    readonly largest: number,
    readonly damping: number,
  ) {
    super(
      `the autocorrelation of layer \`${layer}\` has eigenvalues from ${smallest.toExponential(2)} to ` +
        `${largest.toExponential(2)}, and damping ${damping} leaves it without an inverse; raise the damping`,
    );
  }
}

/** Thrown when a store has no preconditioner, or one whose writing was not finished. */
export class PreconditionerNotFoundError extends BergsonError {
  constructor(readonly directory: string) {
    super(`${directory} has no preconditioner; fit one by \`bergson precondition RUN\``);
  }
}

/** Thrown when a store's rows are preconditioned already, and would be once more. */
export class AlreadyPreconditionedError extends BergsonError {
  constructor(readonly directory: string) {
    super(
      `the rows of ${directory} are preconditioned already, and queries are to match; ` +
        'search it as it is, or name the store that it was made from',
    );
  }
}

/** Thrown when a preconditioner on disk is not of the store it lies in, or its file is damaged. */
export class PreconditionerMismatchError extends BergsonError {
  constructor(
    readonly path: string,
    readonly field: string,
    readonly expected: string,
    readonly found: string,
  ) {
    super(
      `${path} does not fit its store: expected ${field} ${expected}, found ${found}; ` +
        'fit it again by `bergson precondition RUN --force`',
    );
  }
}

/** Thrown when the curvature of a model's loss is asked for, and how to label for that loss is not known. */
export class UnknownCurvatureError extends BergsonError {
  constructor(
    /** The loss's name; null for one without a name. */
    readonly loss: string | null,
    readonly shape: readonly (number | null)[],
    readonly known: readonly string[],
  ) {
    super(
      `labels of the model's own are drawn for one output [examples, outputs] under ${known.join(', ')}, found ` +
        `${loss ?? 'a loss without a name'} over [${shape.join(', ')}]; fit the autocorrelation of the stored rows instead`,
    );
  }
}
