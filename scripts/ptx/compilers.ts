/** NVIDIA's compilers, from pinned wheels of Python packages: kernels to PTX, and PTX to what a GPU runs, as a check. */
import { createHash } from 'node:crypto';
import { chmodSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from '../setup/cache';
import { lastWords, runCommand } from '../setup/child-process';
import { SetupError } from '../setup/errors';
import { packageRoot } from '../../kernels/package-root';
import { findPython } from '../setup/toolchain';
import { downloadWheel, type PinnedWheel, runStep } from '../setup/wheel';

const SOURCES = join(packageRoot(), 'kernels', 'cuda');
export const PTX_FILE = join(SOURCES, 'bergson.ptx');

/** Its PTX, of version 7.8, is read by every driver for CUDA 12; that of CUDA 12's own compilers is not. */
const NVRTC: PinnedWheel = {
  distribution: 'nvidia-cuda-nvrtc-cu11',
  version: '11.8.89',
  platforms: ['manylinux2014_x86_64', 'manylinux1_x86_64'],
  sha256: 'a8d02f3cba345be56b1ffc3e74d8f61f02bb758dd31b0f20e12277a5a244f756',
};

const NVCC: PinnedWheel = {
  distribution: 'nvidia-cuda-nvcc-cu12',
  version: '12.9.86',
  platforms: ['manylinux_2_17_x86_64', 'manylinux2014_x86_64', 'manylinux2010_x86_64'],
  sha256: '5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0',
};

/** The oldest GPUs with this PTX: Volta's. */
const ARCHITECTURE = 'compute_70';
export const ASSEMBLED_FOR = ['sm_80', 'sm_90'] as const;

/** The first line of the PTX that goes with the sources as they are. */
export function firstLine(): string {
  const names = readdirSync(SOURCES).filter((name) => !name.endsWith('.ptx'));
  const hash = createHash('sha256');
  for (const name of names.sort()) hash.update(`${name}\0`).update(readFileSync(join(SOURCES, name)));
  return `// SHA-256 of the sources: ${hash.digest('hex')}\n`;
}

/**
 * The PTX of all kernels.
 *
 * @throws SetupError with the compiler's messages.
 */
export async function compile(): Promise<string> {
  const python = await needPython();
  const wheel = await unpacked(NVRTC, python);
  const libraries = join(wheel, 'nvidia', 'cuda_nvrtc', 'lib');
  const result = await runCommand(
    python,
    ['-c', COMPILE, join(libraries, 'libnvrtc.so.11.2'), join(SOURCES, 'bergson.cu'), ARCHITECTURE, SOURCES],
    { env: { ...process.env, LD_LIBRARY_PATH: libraries } },
  );
  if (result.code !== 0) throw new SetupError('compile the kernels', lastWords(result, 20));
  return firstLine() + result.stdout;
}

/** NVRTC's C API, by hand. */
const COMPILE = `
import ctypes, sys
library, source, architecture, include = sys.argv[1:]
nvrtc = ctypes.CDLL(library)
program = ctypes.c_void_p()
def text(what):
    size = ctypes.c_size_t()
    getattr(nvrtc, f'nvrtcGet{what}Size')(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    getattr(nvrtc, f'nvrtcGet{what}')(program, buffer)
    return buffer.value.decode()
options = [f'--gpu-architecture={architecture}'.encode(), b'--std=c++17', f'-I{include}'.encode()]
with open(source, 'rb') as file:
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), file.read(), b'bergson.cu', 0, None, None) == 0
failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
sys.stderr.write(text('ProgramLog'))
if failed: sys.exit(1)
sys.stdout.write(text('PTX'))
`;

interface Assembled {
  readonly kernel: string;
  readonly registers: number;
  /** Bytes that found no register. */
  readonly spilled: number;
}

/**
 * What the kernels of the committed PTX take of a GPU.
 *
 * @throws SetupError with the assembler's messages.
 */
export async function assemble(target: (typeof ASSEMBLED_FOR)[number]): Promise<Assembled[]> {
  const wheel = await unpacked(NVCC, await needPython());
  const ptxas = join(wheel, 'nvidia', 'cuda_nvcc', 'bin', 'ptxas');
  chmodSync(ptxas, 0o755);
  const result = await runCommand(ptxas, ['-v', `-arch=${target}`, PTX_FILE, '-o', '/dev/null']);
  if (result.code !== 0) throw new SetupError(`assemble the kernels for ${target}`, lastWords(result, 20));
  const kernels = result.stderr.matchAll(
    /entry function '(\w+)'[\s\S]*?(\d+) bytes spill stores, (\d+) bytes spill loads[\s\S]*?Used (\d+) registers/g,
  );
  return [...kernels].map(([, kernel = '', stores, loads, registers]) => ({
    kernel,
    registers: Number(registers),
    spilled: Number(stores) + Number(loads),
  }));
}

async function needPython(): Promise<string> {
  const python = await findPython(process.env);
  if (python === undefined) throw new SetupError('compile the kernels', 'no Python 3 with pip found');
  return python;
}

function unpacked(wheel: PinnedWheel, python: string): Promise<string> {
  const name = `${wheel.distribution}-${wheel.version}-${wheel.sha256.slice(0, 12)}`;
  return cached(name, async (partial) => {
    const file = await downloadWheel(wheel, python, partial);
    await runStep(`unpack ${file}`, python, ['-m', 'zipfile', '-e', file, partial]);
  });
}
