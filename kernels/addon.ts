/** Loads the native addon, which needs no TensorFlow until its operations are registered. The only file that does. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { packageRoot } from './package-root';

/** The addon's own. */
export type PreparedRowWrite = object & { readonly brand: 'prepared row write' };

export interface Addon {
  /** Those this processor has, the fastest first; that one is used unless another is chosen. */
  readonly instructionSets: readonly string[];
  useInstructionSet(name: string): boolean;
  /** Adds the operations to the TensorFlow that the process has loaded. Returns why not, or nothing. */
  registerOperations(): string;
  /** Whether operations called on this thread that can are to leave their work to the background from now on. */
  useBackground(wanted: boolean): void;
  /** Returns once all that was left there is done. */
  awaitBackground(): void;
  /**
   * See kernels/write-rows.ts, and of the integers and reals kernels/row-terms.ts. What the next operation `BergsonWriteRows` on this
   * thread is to do.
   */
  prepareRowWrite(
    descriptor: number,
    positions: Float64Array,
    integers: Int32Array,
    reals: Float64Array,
    width: number,
    factor: number,
    descriptors: readonly number[],
    filePositions: readonly number[],
    bytes: readonly Uint8Array[],
  ): PreparedRowWrite;
  /** Waits for it. Null: it is written. Else the number of the kind in row-write.h, where, and the value there. */
  rowOutcome(write: PreparedRowWrite): [kind: number, at: number, value: number] | null;
  /** Why the CUDA driver does not take the kernels; empty if it does. */
  cudaProblem(): string;
  /**
   * From now on operations on the processor run on the GPU of this CUDA driver, with copies to it and back: for checks
   * of the kernels. Empty: on the processor again. Returns why not, or nothing.
   */
  useCuda(driver: string): string;
  /** See kernels/scan/native-scanner.ts. Returns how many hits there are, and writes the row to go on from to `facts`. */
  scan(
    facts: Int32Array,
    block: Uint8Array,
    written: Uint8Array,
    factors: Float32Array,
    ranges: Uint32Array,
    queries: Float32Array,
    highest: Float32Array,
    lowest: Float32Array,
    margins: Float32Array,
    residualMargins: Float32Array,
    residuals: Float32Array,
    hits: Float32Array,
  ): number;
}

/**
 * Where `bergson setup` puts the addon, whether this runs from the sources or from dist/; BERGSON_ADDON names another,
 * built for debugging.
 */
export function addonFile(): string {
  const { BERGSON_ADDON: other } = process.env;
  if (other !== undefined && other !== '') return other;
  return join(packageRoot(), 'build', 'bergson.node');
}

let loaded: Addon | string | undefined;

/** The addon, or why it does not serve, in words. */
export function loadAddon(): Addon | string {
  loaded ??= load(addonFile());
  return loaded;
}

function load(file: string): Addon | string {
  if (!existsSync(file)) return 'the native addon is not built';
  try {
    return createRequire(__filename)(file) as Addon;
  } catch (error) {
    return `the native addon does not load: ${(error as Error).message}`;
  }
}
