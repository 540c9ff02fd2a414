/** What specs of native operations share: they are skipped, with the reason, where the addon is not built. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { addonFile, loadAddon } from '../../kernels/addon';
import { nativeAddon, nativeBackend } from '../../kernels/native';
import type { TensorFlowBackend } from '../../kernels/tensorflow-backend';
import { emulatedDriver } from '../../scripts/mutate/emulator';
import { bindingFile } from '../../scripts/setup/binding';
import { packageDirectory } from '../../scripts/setup/packages';

const backendAsked = process.env.BERGSON_BACKEND ?? '';
const missing =
  backendAsked !== '' && backendAsked !== 'tensorflow'
    ? `on ${backendAsked}`
    : existsSync(addonFile())
      ? ''
      : 'the addon is not built';

/** {@link describeNative}, but skipped where TensorFlow runs on a GPU. */
export function describeOnProcessor(name: string, body: () => void): void {
  if (missing === '' && usesGpu()) describe.skip(`${name} (skipped: TensorFlow runs on a GPU)`, body);
  else describeNative(name, body);
}

/** As the binding of tfjs-node-gpu says without a backend, which there is none of yet where specs are described. */
function usesGpu(): boolean {
  const directory = packageDirectory('@tensorflow/tfjs-node-gpu');
  const file = directory === undefined ? '' : bindingFile(directory);
  if (!existsSync(file)) return false;
  return (createRequire(__filename)(file) as { isUsingGpuDevice(): boolean }).isUsingGpuDevice();
}

export function describeNative(name: string, body: () => void): void {
  if (missing === '') describe(name, body);
  else describe.skip(`${name} (skipped: ${missing})`, body);
}

/** The backend to call native operations on. */
export function nativeOperations(): TensorFlowBackend {
  const backend = nativeBackend();
  if (backend === null) throw new Error(`no native operation: ${nativeAddon() as string}`);
  return backend;
}

export const INSTRUCTION_SETS = ['avx512', 'avx2', 'baseline'];

/** Whether this processor has the instruction set, which is then in use. */
export function useInstructionSet(name: string): boolean {
  const addon = nativeAddon();
  if (typeof addon === 'string') throw new Error(addon);
  return addon.useInstructionSet(name);
}

/** Uses the fastest instruction set again. */
export function useFastestInstructionSet(): void {
  const addon = nativeAddon();
  if (typeof addon !== 'string') addon.useInstructionSet(addon.instructionSets[0] ?? '');
}

/** Operations on the processor run on the GPU of this CUDA driver while `body` does. */
export function withCuda<T>(driver: string, body: () => T): T {
  const addon = nativeAddon();
  if (typeof addon === 'string') throw new Error(addon);
  const problem = addon.useCuda(driver);
  if (problem !== '') throw new Error(problem);
  try {
    return body();
  } finally {
    addon.useCuda('');
  }
}

/** Why what needs an instruction set cannot run, as specs say it; empty where this processor has the set. */
export function lacking(set: string): string {
  const addon = loadAddon();
  if (typeof addon === 'string') return ` (skipped: ${addon})`;
  return addon.instructionSets.includes(set) ? '' : ` (skipped: this processor has no ${set})`;
}

/** A test for each instruction set, by whose operations it runs where this processor has it. */
export function eachInstructionSet(name: string, body: () => void): void {
  for (const set of INSTRUCTION_SETS) {
    const reason = lacking(set);
    (reason === '' ? it : it.skip)(`${name}, on ${set}${reason}`, () => {
      try {
        expect(useInstructionSet(set)).toBe(true);
        body();
      } finally {
        useFastestInstructionSet();
      }
    });
  }
}

/** {@link eachInstructionSet}, and a test of the CUDA kernels. */
export function eachDevice(name: string, body: () => void): void {
  eachInstructionSet(name, body);
  it(`${name}, on emulated CUDA`, () => {
    withCuda(emulatedDriver(), body);
  });
}
