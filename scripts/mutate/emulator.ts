/** The CUDA driver without a GPU that spec/support/cuda-emulator/ is, compiled with kernels when first asked for. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../kernels/package-root';

const EMULATOR = join(packageRoot(), 'spec', 'support', 'cuda-emulator');
const KERNELS = join(packageRoot(), 'kernels', 'cuda');

/** Its library, with the kernels in this directory, compiled with these macros. */
export function emulatedDriver(kernels = KERNELS, macros: readonly string[] = []): string {
  const hash = createHash('sha256').update(macros.join(' '));
  for (const directory of [kernels, EMULATOR]) {
    for (const name of readdirSync(directory).sort()) hash.update(readFileSync(join(directory, name)));
  }
  const directory = join(tmpdir(), 'bergson-cuda-emulator');
  const library = join(directory, `lib${hash.digest('hex').slice(0, 16)}.so`);
  if (existsSync(library)) return library;
  mkdirSync(directory, { recursive: true });
  const partial = `${library}.${process.pid}`;
  const { status, stderr } = spawnSync(
    process.env.CXX ?? 'g++',
    [
      ...['-std=c++17', '-O2', '-fPIC', '-shared', '-include', join(EMULATOR, 'cuda.h'), '-x', 'c++'],
      ...macros.map((macro) => `-D${macro}`),
      ...[join(kernels, 'bergson.cu'), join(EMULATOR, 'driver.cc'), '-o', partial, '-ldl'],
    ],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`the kernels do not compile: ${stderr}`);
  renameSync(partial, library);
  return library;
}

/** A driver that has no events. */
export function oldDriver(): string {
  return emulatedDriver(KERNELS, ['BERGSON_OLD_DRIVER']);
}

/** The driver, but it fails in this function. */
export function failingDriver(failing: string, library = emulatedDriver()): string {
  const copy = library.replace('.so', `.fails.${failing}.so`);
  copyFileSync(library, copy);
  return copy;
}
