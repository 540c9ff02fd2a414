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
