/**
 * Every error the library throws on purpose. Each class says when it is thrown; each message says what,
 * where, both values and the next step; the fields hold the same values for programs.
 */

/** Base of all tagged errors: `error.tag` is stable, for `switch`; `error.name` is the class. */
export abstract class BergsonError extends Error {
  abstract readonly tag: string;

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Thrown by `loadBackend` when the backend asked for does not exist or does not load. */
export class BackendUnavailableError extends BergsonError {
  readonly tag = 'backend-unavailable';

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

/** Thrown by `bergson setup` when something that was asked for by an option cannot be set up. */
export class SetupError extends BergsonError {
  readonly tag = 'setup';

  constructor(
    readonly step: string,
    readonly reason: string,
    options?: { cause?: unknown },
  ) {
    super(`could not ${step}: ${reason}`, options);
  }
}

/** Thrown when a write, sync or rename fails: full disk, quota, file-size limit, missing permission. */
export class DiskWriteError extends BergsonError {
  override readonly tag = 'DiskWriteError' as const;

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
  override readonly tag = 'StoreExistsError' as const;

  constructor(readonly directory: string) {
    super(
      `${directory} already holds a gradient store; choose another directory or pass \`overwrite: true\``,
    );
  }
}

/** Thrown when a store's file is missing, shorter or longer than it must be, or its checksum differs. */
export class CorruptStoreError extends BergsonError {
  override readonly tag = 'CorruptStoreError' as const;

  constructor(
    readonly path: string,
    readonly quantity: 'bytes' | 'sha256' | 'layout',
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
  override readonly tag = 'IncompleteStoreError' as const;

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
  override readonly tag = 'InvalidLayoutError' as const;

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
  override readonly tag = 'LayoutMismatchError' as const;

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
  override readonly tag = 'RowShapeError' as const;

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
  override readonly tag = 'ExampleRangeError' as const;

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
  override readonly tag = 'RowNotWrittenError' as const;

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
  override readonly tag = 'NonFiniteValueError' as const;

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

/** Thrown when a finite gradient is too large for a float16 store (beyond ±65,504 after rounding). */
export class Float16OverflowError extends BergsonError {
  override readonly tag = 'Float16OverflowError' as const;

  constructor(
    readonly layer: string,
    readonly example: number,
    readonly value: number,
  ) {
    super(
      `the gradient of example ${example} in layer \`${layer}\` holds ${value}, beyond float16's 65504; ` +
        "store as 'float32', or scale the gradients down",
    );
  }
}

/** Thrown when a store, log or index is used after `close()` or `abort()`. */
export class ClosedError extends BergsonError {
  override readonly tag = 'ClosedError' as const;

  constructor(readonly path: string) {
    super(`${path} has been closed; open it again`);
  }
}

/** Thrown when a safetensors file's header or size is not what the format allows. */
export class InvalidSafetensorsError extends BergsonError {
  override readonly tag = 'InvalidSafetensorsError' as const;

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
  override readonly tag = 'CorruptRecordError' as const;

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
  override readonly tag = 'UnsupportedVersionError' as const;

  constructor(
    readonly path: string,
    readonly supported: number,
    readonly found: number,
  ) {
    super(`${path} has format version ${found}, this release reads up to ${supported}; upgrade tfjs-bergson`);
  }
}

/** Thrown when a search asks for more neighbors than there are rows. */
export class KTooLargeError extends BergsonError {
  override readonly tag = 'KTooLargeError' as const;

  constructor(
    readonly k: number,
    readonly rows: number,
  ) {
    super(`k must be a whole number from 1 to the ${rows} rows held, found ${k}`);
  }
}

/** Thrown when a layer is named that the store has no columns for. */
export class UnknownColumnError extends BergsonError {
  override readonly tag = 'UnknownColumnError' as const;

  constructor(
    readonly layer: string,
    readonly known: readonly string[],
  ) {
    super(`the store has no layer \`${layer}\`; it has ${known.map((name) => `\`${name}\``).join(', ')}`);
  }
}

/** Thrown when hnswlib-node cannot be loaded; exact search needs nothing. */
export class HnswUnavailableError extends BergsonError {
  override readonly tag = 'HnswUnavailableError' as const;

  constructor(readonly detail: string) {
    super(`hnswlib-node does not load (${detail}); run \`npm rebuild hnswlib-node\`, or search exactly`);
  }
}

/** Thrown when the thread that builds or searches an HNSW index fails: out of memory, a full disk, a bug. */
export class HnswFailedError extends BergsonError {
  override readonly tag = 'HnswFailedError' as const;

  constructor(
    readonly detail: string,
    options?: { cause?: unknown },
  ) {
    super(
      `the HNSW index failed (${detail}); free memory and disk and try again, or search exactly`,
      options,
    );
  }
}

/** Thrown when an index on disk does not belong to the store it lies in, or its file is damaged. */
export class IndexMismatchError extends BergsonError {
  override readonly tag = 'IndexMismatchError' as const;

  constructor(
    readonly path: string,
    readonly field: string,
    readonly expected: number | string,
    readonly found: number | string,
  ) {
    super(`${path} does not fit its store: expected ${field} ${expected}, found ${found}; build it again`);
  }
}

/** Thrown when layers that train weights have no per-example gradient and `layers` does not leave them out. */
export class UnsupportedLayerError extends BergsonError {
  override readonly tag = 'UnsupportedLayerError' as const;

  constructor(
    readonly layers: readonly { readonly path: string; readonly className: string }[],
    readonly supported: readonly string[],
  ) {
    const list = layers.map(({ path, className }) => `\`${path}\` (${className})`).join(', ');
    super(
      `no per-example gradient is known for ${list}; pass \`layers\` to leave them out, or call \`registerLayerGradient\`. ` +
        `Known classes: ${supported.join(', ')}`,
    );
  }
}

/** Thrown when `layers` names something that is not a layer with trained weights. */
export class UnknownLayerError extends BergsonError {
  override readonly tag = 'UnknownLayerError' as const;

  constructor(
    readonly unknown: readonly string[],
    readonly known: readonly string[],
  ) {
    super(`\`layers\` names ${quote(unknown)}, which match no trained layer; the model has ${quote(known)}`);
  }
}

/** Thrown when a layer cannot be tapped: it was called in a way its adapter does not follow. */
export class UntappableLayerError extends BergsonError {
  override readonly tag = 'UntappableLayerError' as const;

  constructor(
    readonly path: string,
    readonly className: string,
    readonly reason: string,
  ) {
    super(
      `layer \`${path}\` (${className}) ${reason}, so its per-example gradients cannot be captured; ` +
        `pass \`layers\` to leave it out`,
    );
  }
}

/** Thrown when the first axis of a layer's output is not the batch, so that its rows are not examples. */
export class BatchAxisError extends BergsonError {
  override readonly tag = 'BatchAxisError' as const;

  constructor(
    readonly path: string,
    readonly shape: readonly number[],
    readonly batchSize: number,
  ) {
    super(
      `layer \`${path}\` gave an output of shape [${shape.join(', ')}] in a batch of ${batchSize} examples; ` +
        `its first axis must be the batch: keep examples apart before this layer, or pass \`layers\` to leave it out`,
    );
  }
}

/** Thrown when a loss has no gradient with respect to any attributed layer. */
export class NoGradientError extends BergsonError {
  override readonly tag = 'NoGradientError' as const;

  constructor(
    readonly reason: string,
    options?: { cause?: unknown },
  ) {
    super(
      `no per-example gradient was captured: ${reason}; compute a scalar loss from the model's output, inside the function passed`,
      options,
    );
  }
}

/** Thrown when an option's value is outside what it may be. */
export class InvalidOptionError extends BergsonError {
  override readonly tag = 'InvalidOptionError' as const;

  constructor(
    readonly option: string,
    readonly value: unknown,
    readonly allowed: string,
  ) {
    super(`\`${option}\` is ${String(value)}; it must be ${allowed}`);
  }
}

/** Thrown when an optimizer's second moments cannot be read. */
export class OptimizerStateError extends BergsonError {
  override readonly tag = 'OptimizerStateError' as const;

  constructor(readonly reason: string) {
    super(
      `the optimizer's state cannot be used: ${reason}; train with tf.train.adam, or without \`useOptimizerState\``,
    );
  }
}

/** Thrown when a per-example gradient holds a value that is not finite. */
export class NonFiniteGradientError extends BergsonError {
  override readonly tag = 'NonFiniteGradientError' as const;

  constructor(
    readonly layer: string,
    readonly step: number,
    readonly example: number,
    readonly value: number,
    options?: { cause?: unknown },
  ) {
    super(
      `the gradient of layer \`${layer}\` for example ${example} is ${value} at step ${step}; ` +
        `look at that example's input and at the learning rate: nothing of this step was stored`,
      options,
    );
  }
}

/** Thrown when a callback is used in a `fit` that does not report example ids. */
export class UnpreparedModelError extends BergsonError {
  override readonly tag = 'UnpreparedModelError' as const;

  constructor(readonly reason: string) {
    super(`${reason}; call \`prepareForGradientCollection(model)\` and train with \`model.fit\` on tensors`);
  }
}

/** Thrown when a model's own loss is needed and the model is not compiled. */
export class UncompiledModelError extends BergsonError {
  override readonly tag = 'UncompiledModelError' as const;

  constructor() {
    super(
      'the model is not compiled, so it has no loss of its own; call `model.compile`, or pass a function that computes one',
    );
  }
}

/** Thrown when a run's directory exists and is not empty. */
export class RunExistsError extends BergsonError {
  override readonly tag = 'RunExistsError' as const;

  constructor(readonly path: string) {
    super(`${path} exists and is not empty; choose another \`path\`, or remove it`);
  }
}

/** Thrown when a directory is not a run. */
export class RunNotFoundError extends BergsonError {
  override readonly tag = 'RunNotFoundError' as const;

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
  override readonly tag = 'UnknownStoreError' as const;

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
  override readonly tag = 'ModelMismatchError' as const;

  constructor(
    readonly what: string,
    readonly expected: string,
    readonly found: string,
  ) {
    super(
      `the run was made with ${what} ${expected}, and this model has ${found}; open the run with its own model`,
    );
  }
}

function quote(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}
