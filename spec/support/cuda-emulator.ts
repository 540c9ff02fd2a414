/** The CUDA driver without a GPU that cuda-emulator/ is, compiled with the kernels when a spec first asks for it. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');
const EMULATOR = join(__dirname, 'cuda-emulator');
/** Other kernels than those of the repository: how it is checked that specs would find them broken. */
const KERNELS = process.env.BERGSON_CUDA_SOURCES ?? join(ROOT, 'kernels', 'cuda');

/** The driver's library. With `failing`, one that fails in this function of the driver. */
export function emulatedDriver(failing?: string): string {
  const hash = createHash('sha256');
  for (const directory of [KERNELS, EMULATOR]) {
    for (const name of readdirSync(directory).sort()) hash.update(readFileSync(join(directory, name)));
  }
  const directory = join(tmpdir(), 'bergson-cuda-emulator');
  const library = join(directory, `lib${hash.digest('hex').slice(0, 16)}.so`);
  if (!existsSync(library)) {
    mkdirSync(directory, { recursive: true });
    const partial = `${library}.${process.pid}`;
    execFileSync(process.env.CXX ?? 'g++', [
      ...['-std=c++17', '-O2', '-fPIC', '-shared', '-include', join(EMULATOR, 'cuda.h'), '-x', 'c++'],
      ...[join(KERNELS, 'bergson.cu'), join(EMULATOR, 'driver.cc'), '-o', partial, '-ldl'],
    ]);
    renameSync(partial, library);
  }
  if (failing === undefined) return library;
  const copy = library.replace('.so', `.fails.${failing}.so`);
  copyFileSync(library, copy);
  return copy;
}
