/** Errors of files: gradient stores, records, tensors, the training order. */
import { BergsonError } from './bergson-error';

/** Thrown when a write, sync or rename fails: full disk, quota, file-size limit, missing permission. */
export class DiskWriteError extends BergsonError {
  /** `bytes` wanted at `path`; `code` is the operating system's, such as `ENOSPC`. */
  constructor(
    readonly path: string,
    readonly bytes: number,
    readonly code: string,
    options?: { cause?: unknown },
  ) {
    super(`writing ${bytes} bytes to ${path} failed (${code}); free that much, or write elsewhere`, options);
  }
}

/** Thrown by writers that would replace a gradient store the caller did not ask to overwrite. */
export class StoreExistsError extends BergsonError {
  constructor(readonly directory: string) {
    super(
      `${directory} already holds a gradient store; choose another directory or pass \`overwrite: true\``,
    );
  }
}

/** Thrown when a directory holds no gradient store. */
export class StoreNotFoundError extends BergsonError {
  constructor(
    readonly directory: string,
    options?: { cause?: unknown },
  ) {
    super(
      `${directory} holds no gradient store: it has no info.json; restore it, or ask another store of the run`,
      options,
    );
  }
}

/** Thrown when a store's file is missing, shorter or longer than it must be, or its checksum differs. */
export class CorruptStoreError extends BergsonError {
  constructor(
    readonly path: string,
    readonly quantity: 'bytes' | 'sha256' | 'layout' | 'scales',
    readonly expected: number | string,
    readonly found: number | string,
  ) {
    super(
      `${path} is damaged: expected ${quantity} ${expected}, found ${found}; ` +
        'restore the file, or collect the store again',
    );
  }
}

/** Thrown when an operation needs a sealed store and this one's writer never finished. */
export class IncompleteStoreError extends BergsonError {
  constructor(
    readonly directory: string,
    readonly rowsWritten: number,
    readonly rows: number,
  ) {
    super(
      `${directory} was never closed (${rowsWritten} of ${rows} rows written); ` +
        'call sealStore(directory) to keep what it holds, or collect it again',
    );
  }
}

/** Thrown when `info.json` or a layout given in code cannot describe a gradient store. */
export class InvalidLayoutError extends BergsonError {
  constructor(
    readonly where: string,
    readonly field: string,
    readonly expected: string,
    readonly found: string,
  ) {
    super(`${where}: \`${field}\` must be ${expected}, found ${found}`);
  }
}

/** Thrown when two stores that must share rows and columns do not. */
export class LayoutMismatchError extends BergsonError {
  constructor(
    readonly left: string,
    readonly right: string,
    readonly field: string,
    readonly leftValue: string,
    readonly rightValue: string,
  ) {
    super(
      `${left} and ${right} differ in ${field} (${leftValue} against ${rightValue}); ` +
        'collect both with the same data set, layers and projection',
    );
  }
}

/** Thrown when an array does not have as many numbers as its rows or queries need. */
export class RowShapeError extends BergsonError {
  constructor(
    readonly what: string,
    readonly expected: number,
    readonly found: number,
  ) {
    super(`${what} must hold ${expected} numbers, found ${found}`);
  }
}

/** Thrown when an example id is not a row number of the store. */
export class ExampleRangeError extends BergsonError {
  constructor(
    readonly where: string,
    readonly example: number,
    readonly rows: number,
  ) {
    super(`example ${example} is not among the ${rows} rows of ${where}; ids are row numbers from 0`);
  }
}

/** Thrown when a row is asked for that was never written, for instance because the process was killed. */
export class RowNotWrittenError extends BergsonError {
  constructor(
    readonly where: string,
    readonly example: number,
    readonly rowsWritten: number,
    readonly rows: number,
  ) {
    super(
      `${where} holds no row for example ${example} (${rowsWritten} of ${rows} rows written); ` +
        'ask isWritten(example) first',
    );
  }
}

/** Thrown when a number in a gradient or a query is NaN or infinite. */
export class NonFiniteValueError extends BergsonError {
  /** `layer` is undefined where the number belongs to no single layer. */
  constructor(
    readonly where: string,
    readonly value: number,
    readonly layer?: string,
    readonly example?: number,
  ) {
    const of = example === undefined ? '' : ` of example ${example}`;
    const at = layer === undefined ? '' : ` in layer \`${layer}\``;
    super(`${where}${of} holds ${value}${at}; look for a diverging loss or a division by zero`);
  }
}

/** Thrown when a store, log or index is used after `close()` or `abort()`. */
export class ClosedError extends BergsonError {
  constructor(readonly path: string) {
    super(`${path} has been closed; open it again`);
  }
}

/** Thrown when a safetensors file's header or size is not what the format allows. */
export class InvalidSafetensorsError extends BergsonError {
  constructor(
    readonly path: string,
    readonly field: string,
    readonly expected: string,
    readonly found: string,
    options?: { cause?: unknown },
  ) {
    super(`${path}: ${field} must be ${expected}, found ${found}; write or download it again`, options);
  }
}

/** Thrown when a record or log on disk does not read back as what was written. */
export class CorruptRecordError extends BergsonError {
  constructor(
    readonly path: string,
    readonly field: string,
    readonly expected: string,
    readonly found: string,
    options?: { cause?: unknown },
  ) {
    super(`${path} is damaged: expected ${field} ${expected}, found ${found}; restore the file`, options);
  }
}

/** Thrown when a file was written by a newer release than this one. */
export class UnsupportedVersionError extends BergsonError {
  constructor(
    readonly path: string,
    readonly supported: number,
    readonly found: number,
  ) {
    super(`${path} has format version ${found}, this release reads up to ${supported}; upgrade tfjs-bergson`);
  }
}
