/** Errors of second moments and what is divided by them. */
import { BergsonError } from './bergson-error';

/** Thrown when a normalizer holds no second moments of a layer, or of one of another shape. */
export class NormalizerMismatchError extends BergsonError {
  constructor(
    readonly source: string,
    readonly moments: string,
    readonly expected: readonly number[],
    readonly found: { readonly dtype: string; readonly shape: readonly number[] } | undefined,
  ) {
    const held = found === undefined ? 'none of that name' : `${found.dtype} [${found.shape.join(', ')}]`;
    super(
      `${source} should hold second moments \`${moments}\` [${expected.join(', ')}] and holds ${held}; use a normalizer ` +
        'of the same model, with the same `includeBias` and `attention`',
    );
  }
}

/** Thrown when no normalizer can be made of the data. */
export class NormalizerFitError extends BergsonError {
  constructor(readonly reason: string) {
    super(`no normalizer can be fitted: ${reason}`);
  }
}
