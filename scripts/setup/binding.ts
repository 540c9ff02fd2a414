/** Compiles tfjs-node's own binding sources against TensorFlow's native libraries. */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { SetupError } from './errors';
import { compileAddon } from './addon';
import { packageRoot } from '../../kernels/package-root';

/** Path of the addon in a tfjs-node package. */
export function bindingFile(packageDirectory: string): string {
  return join(packageDirectory, 'lib', 'napi-v8', 'tfjs_binding.node');
}

/** The `tensorflow` package directory that set-up linked a tfjs-node package to, or undefined if it did not. */
export function linkedTo(packageDirectory: string): string | undefined {
  const file = linkRecord(packageDirectory);
  return existsSync(file) && existsSync(bindingFile(packageDirectory))
    ? readFileSync(file, 'utf8')
    : undefined;
}

/**
 * Builds the addon of the tfjs-node package at `packageDirectory` against the `tensorflow` package at `tensorflow`.
 * It finds the libraries by absolute path, so that nobody has to set LD_LIBRARY_PATH.
 *
 * @throws SetupError when `tensorflow` lacks a library, or with the compiler's last words.
 */
export async function buildBinding(
  packageDirectory: string,
  tensorflow: string,
  tools: { readonly compiler: string; readonly headers: string },
): Promise<void> {
  const directory = realpathSync(tensorflow);
  const links = join(packageDirectory, 'deps', 'lib');
  mkdirSync(links, { recursive: true });
  const extension = process.platform === 'darwin' ? 'dylib' : 'so';
  link(library(directory, 'libtensorflow_cc'), join(links, `libtensorflow.${extension}`));
  link(library(directory, 'libtensorflow_framework'), join(links, `libtensorflow_framework.${extension}`));
  const quiet = process.platform === 'linux' ? await buildQuietLoad(tools.compiler, links) : undefined;
  await compileAddon({
    compiler: tools.compiler,
    sources: [
      ...['tfjs_backend.cc', 'tfjs_binding.cc'].map((file) => join(packageDirectory, 'binding', file)),
      ...(quiet?.sources ?? []),
    ],
    includes: [tools.headers, dirname(packageDirectory), join(directory, 'include')],
    flags: ['-O2'],
    link: [
      ...[`-L${links}`, ...(quiet?.link ?? []), '-ltensorflow', '-ltensorflow_framework'],
      `-Wl,-rpath,${directory}`,
    ],
    output: bindingFile(packageDirectory),
  });
  writeFileSync(linkRecord(packageDirectory), directory);
}

/** Builds quiet-load.cc's library, which says what it is for; what it adds to the sources and link of the binding. */
async function buildQuietLoad(
  compiler: string,
  directory: string,
): Promise<{ readonly sources: readonly string[]; readonly link: readonly string[] }> {
  const source = join(packageRoot(), 'scripts', 'setup', 'quiet-load.cc');
  await compileAddon({
    compiler,
    sources: [source],
    includes: [],
    flags: ['-O2', '-DQUIET_BEGIN'],
    link: ['-Wl,-z,initfirst', '-Wl,-soname,libbergson_quiet.so'],
    output: join(directory, 'libbergson_quiet.so'),
  });
  return { sources: [source], link: ['-lbergson_quiet', '-Wl,-rpath,$ORIGIN/../../deps/lib'] };
}

function linkRecord(packageDirectory: string): string {
  return join(packageDirectory, 'deps', 'linked-to');
}

/** The library's file, whose name ends in its major version: `.so.2`, `.2.dylib`. */
function library(directory: string, name: string): string {
  const file = readdirSync(directory).find((entry) => entry.startsWith(`${name}.`));
  if (file === undefined) {
    throw new SetupError(
      `link TensorFlow from ${directory}`,
      `there is no ${name} in it; give the directory of an installed \`tensorflow\` package`,
    );
  }
  return join(directory, file);
}

function link(target: string, path: string): void {
  const partial = `${path}.${process.pid}`;
  rmSync(partial, { force: true });
  symlinkSync(target, partial);
  renameSync(partial, path);
}
