/** The native addon's operations, where they are built and run where TensorFlow does. */
import tf = require('@tensorflow/tfjs');
import { loadAddon, type Addon } from './addon';
import { tensorFlowBackend, type TensorFlowBackend } from './tensorflow-backend';

let registered: string | undefined;
let cudaProblem: string | undefined;

/** The addon, or why it does not serve, in words. Registers its operations with TensorFlow when first called. */
export function nativeAddon(): Addon | string {
  const backend = tensorFlowBackend();
  if (backend === undefined) return `the ${tf.getBackend()} backend has no native operations`;
  const addon = loadAddon();
  if (typeof addon === 'string') return addon;
  registered ??= addon.registerOperations();
  if (registered !== '') return `the native addon does not load: ${registered}`;
  if (!backend.isUsingGpuDevice) return addon;
  cudaProblem ??= addon.cudaProblem();
  return cudaProblem === '' ? addon : `TensorFlow runs on a GPU, and ${cudaProblem}`;
}

/** The backend to call native operations on, or null where plain ones serve. */
export function nativeBackend(): TensorFlowBackend | null {
  return typeof nativeAddon() === 'string' ? null : (tensorFlowBackend() ?? null);
}

/** The backend to call those on that are for the processor alone, or null where plain ones serve, as they do on a GPU. */
export function nativeProcessor(): TensorFlowBackend | null {
  const backend = nativeBackend();
  return backend?.isUsingGpuDevice === true ? null : backend;
}

/** What native operations run on, in a word. */
export function nativeDevice(addon: Addon): string {
  return tensorFlowBackend()?.isUsingGpuDevice === true ? 'CUDA' : (addon.instructionSets[0] ?? '');
}
