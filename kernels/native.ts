/** The native addon, if it is built and runs where TensorFlow does. The only file that loads it. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs';

interface Addon {
  /** Those this processor has, the fastest first; that one is used unless another is chosen. */
  readonly instructionSets: readonly string[];
  useInstructionSet(name: string): boolean;
  /** Why the CUDA driver does not take the kernels; empty if it does. */
  cudaProblem(): string;
  /**
   * From now on operations on the processor run on the GPU of this CUDA driver, with copies to it and back: for checks
   * of the kernels. Empty: on the processor again. Returns why not, or nothing.
   */
  useCuda(driver: string): string;
}

/** The part of tfjs-node's backend that native operations need. */
export interface NativeBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: { readonly TF_ATTR_INT: number; readonly TF_ATTR_FLOAT: number };
  executeSingleOutput(op: string, attributes: OpAttribute[], inputs: tf.Tensor[]): tf.Tensor;
}

export interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: number | number[];
}

/**
 * Where `bergson setup` puts the addon, whether this runs from the sources or from dist/; BERGSON_ADDON names another,
 * built for debugging.
 */
export function addonFile(): string {
  const { BERGSON_ADDON: other } = process.env;
  if (other !== undefined && other !== '') return other;
  let root = __dirname;
  while (!existsSync(join(root, 'package.json'))) root = dirname(root);
  return join(root, 'build', 'bergson.node');
}

let loaded: Addon | string | undefined;
let cudaProblem: string | undefined;

/** The addon, or why it does not serve, in words. Registers its operations with TensorFlow when first called. */
export function nativeAddon(): Addon | string {
  if (tf.getBackend() !== 'tensorflow') return `the ${tf.getBackend()} backend has no native operations`;
  loaded ??= load(addonFile());
  if (typeof loaded === 'string' || !usesGpu()) return loaded;
  cudaProblem ??= loaded.cudaProblem();
  return cudaProblem === '' ? loaded : `TensorFlow runs on a GPU, and ${cudaProblem}`;
}

/** The backend to call native operations on, or null where plain ones serve. */
export function nativeBackend(): NativeBackend | null {
  return typeof nativeAddon() === 'string' ? null : (tf.backend() as unknown as NativeBackend);
}

/** What native operations run on, in a word. */
export function nativeDevice(addon: Addon): string {
  return usesGpu() ? 'CUDA' : (addon.instructionSets[0] ?? '');
}

function usesGpu(): boolean {
  return (tf.backend() as unknown as NativeBackend).isUsingGpuDevice;
}

function load(file: string): Addon | string {
  if (!existsSync(file)) return 'the native addon is not built';
  try {
    return createRequire(__filename)(file) as Addon;
  } catch (error) {
    return `the native addon does not load: ${(error as Error).message}`;
  }
}
