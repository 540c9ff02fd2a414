/** Chooses what scans blocks: the native addon where it is built, else WebAssembly. */
import { loadAddon } from '../addon';
import type { BlockScanner, ScanQuestion } from './block-scanner';
import { NativeScanner } from './native-scanner';
import { WasmScanner } from './wasm-scanner';

export type ScanKernel = 'native' | 'wasm';

/** The fastest kernel there is. */
export function bestScanKernel(): ScanKernel {
  return typeof loadAddon() === 'string' ? 'wasm' : 'native';
}

/** Throws an Error where `native` is asked for and the addon does not load. */
export function openScanner(question: ScanQuestion, kernel: ScanKernel): BlockScanner {
  if (kernel === 'wasm') return new WasmScanner(question);
  const addon = loadAddon();
  if (typeof addon === 'string') throw new Error(addon);
  return new NativeScanner(addon, question);
}
