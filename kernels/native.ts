/** The native addon's operations, where they are built and run where TensorFlow does. */
import * as tf from '@tensorflow/tfjs';
import { loadAddon, type Addon } from './addon';

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

let registered: string | undefined;
let cudaProblem: string | undefined;

/** The addon, or why it does not serve, in words. Registers its operations with TensorFlow when first called. */
export function nativeAddon(): Addon | string {
  if (tf.getBackend() !== 'tensorflow') return `the ${tf.getBackend()} backend has no native operations`;
  const addon = loadAddon();
  if (typeof addon === 'string') return addon;
  registered ??= addon.registerOperations();
  if (registered !== '') return `the native addon does not load: ${registered}`;
  if (!usesGpu()) return addon;
  cudaProblem ??= addon.cudaProblem();
  return cudaProblem === '' ? addon : `TensorFlow runs on a GPU, and ${cudaProblem}`;
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
