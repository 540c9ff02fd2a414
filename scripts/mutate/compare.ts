/** Compares the kernels in the directory that is the argument with plain operations; fails at the first difference. */
import { loadBackend } from '../../lib/backend';
import { nativeAddon, nativeBackend } from '../../kernels/native';
import { allCases, errorOf, RANDOM_CASES } from '../verify-gpu/cases';
import { emulatedDriver } from './emulator';

/** The specs' own. */
const ROUNDING = 1e-5;

async function main(directory: string): Promise<void> {
  const driver = emulatedDriver(directory);
  await loadBackend('tensorflow');
  const addon = nativeAddon();
  const backend = nativeBackend();
  if (typeof addon === 'string' || backend === null) throw new Error('there is no addon');
  const problem = addon.useCuda(driver);
  if (problem !== '') throw new Error(problem);
  for (const one of allCases(RANDOM_CASES)) {
    const error = errorOf(one, backend);
    if (error > ROUNDING) throw new Error(`${one.operation} ${one.sizes}: ${error}`);
  }
}

main(process.argv[2] ?? '').catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
