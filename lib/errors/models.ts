/** Errors of language models and the files they are read from. */
import { BergsonError, quote } from './bergson-error';

/** Thrown when a directory holds a model of a kind that is not known. */
export class UnknownArchitectureError extends BergsonError {
  constructor(
    readonly file: string,
    readonly architecture: string,
    readonly known: readonly string[],
  ) {
    super(`${file}: \`model_type\` is ${architecture}; the known ones are ${quote(known)}`);
  }
}

/** Thrown when a configuration lacks a value, or asks for what is not implemented. */
export class ModelConfigError extends BergsonError {
  constructor(
    readonly file: string,
    readonly field: string,
    readonly found: unknown,
    readonly expected: string,
    options?: { cause?: unknown },
  ) {
    const value = found === undefined ? 'missing' : JSON.stringify(found);
    super(`${file}: \`${field}\` is ${value}; it must be ${expected}`, options);
  }
}

/** Thrown when a model's file is missing, or lacks a weight, or holds one of another shape or dtype than the model's. */
export class CheckpointError extends BergsonError {
  constructor(
    readonly file: string,
    readonly tensor: string,
    readonly expected: string,
    readonly found: string,
    options?: { cause?: unknown },
  ) {
    super(
      `${file}: \`${tensor}\` must be ${expected}, found ${found}; use the files that belong to config.json`,
      options,
    );
  }
}

/** Thrown when a weight is too large for the dtype that it is to be written in. */
export class WeightOverflowError extends BergsonError {
  constructor(
    readonly file: string,
    readonly tensor: string,
    readonly dtype: string,
    readonly value: number,
  ) {
    super(
      `${file}: a weight of \`${tensor}\` is ${value}, beyond ${dtype}; nothing is written: save as float32`,
    );
  }
}

/** Thrown when the gradient of an operation, which is a formula of its own, is itself to be differentiated. */
export class SecondDerivativeError extends BergsonError {
  constructor(readonly operation: string) {
    super(
      `the gradient of ${operation} was to be differentiated, and it can be differentiated once only; ` +
        'take differences of first derivatives instead',
    );
  }
}

/** Thrown when a language model is given a sequence longer than its context. */
export class ContextLengthError extends BergsonError {
  constructor(
    readonly length: number,
    readonly contextLength: number,
  ) {
    super(
      `a sequence of ${length} tokens is longer than the model's context of ${contextLength}; truncate it or divide it into chunks`,
    );
  }
}
