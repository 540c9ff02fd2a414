/** Errors of data sets and tokenizers. */
import { BergsonError, quote } from './bergson-error';

/** Thrown when a path holds no data set of a known format. */
export class UnknownDatasetFormatError extends BergsonError {
  constructor(
    readonly path: string,
    readonly reason: string,
  ) {
    super(
      `${path} is not a data set: ${reason}; pass a .jsonl, .csv, .parquet or .txt file, a folder of files of one of ` +
        `these kinds, or a folder written by \`datasets.save_to_disk\``,
    );
  }
}

/** Thrown when the part of a data set that was asked for is not there, or none was named and there are several. */
export class UnknownSplitError extends BergsonError {
  constructor(
    readonly path: string,
    readonly split: string | undefined,
    readonly splits: readonly string[],
  ) {
    const has = splits.length === 0 ? 'has no named parts' : `has ${quote(splits)}`;
    super(
      split === undefined
        ? `${path} ${has}; name one by \`split\``
        : `${path} has no part named \`${split}\`: it ${has}`,
    );
  }
}

/** Thrown when a data set's file is damaged or is not what its name says. */
export class DatasetFormatError extends BergsonError {
  /** `where` in the file at `path`, such as `line 3`. */
  constructor(
    readonly path: string,
    readonly where: string,
    readonly reason: string,
    options?: { cause?: unknown },
  ) {
    super(`${path}, ${where}: ${reason}; mend it, or leave it out of the rows asked for`, options);
  }
}

/** Thrown when a data set, or the part of it that was asked for, has no example. */
export class EmptyDatasetError extends BergsonError {
  constructor(
    readonly path: string,
    readonly reason: string,
  ) {
    super(`${path} holds no example: ${reason}; choose other rows or columns`);
  }
}

/** Thrown when a column that was asked for is not in a data set. */
export class UnknownDatasetColumnError extends BergsonError {
  constructor(
    readonly path: string,
    readonly option: string,
    readonly column: string,
    readonly columns: readonly string[],
  ) {
    super(
      `\`${option}\` names \`${column}\`, which none of the first rows of ${path} has; ` +
        `their columns are ${quote(columns)}`,
    );
  }
}

/** Thrown when no column was named and not exactly one can be the text. */
export class AmbiguousColumnsError extends BergsonError {
  constructor(
    readonly path: string,
    readonly candidates: readonly string[],
    readonly columns: readonly string[],
  ) {
    const found =
      candidates.length === 0
        ? `no column of ${path} is text; its columns are ${quote(columns)}`
        : `several columns of ${path} could be the text: ${quote(candidates)}`;
    super(
      `${found}; name one by \`textColumn\`, or a \`promptColumn\` and a \`completionColumn\`, or a \`conversationColumn\``,
    );
  }
}

/** Thrown when a tokenizer's files are missing or broken, or it cannot do what is asked of it. */
export class TokenizerError extends BergsonError {
  constructor(
    readonly path: string,
    readonly reason: string,
    options?: { cause?: unknown },
  ) {
    super(
      `the tokenizer in ${path} cannot be used: ${reason}; pass the folder that holds the model's own tokenizer.json`,
      options,
    );
  }
}
