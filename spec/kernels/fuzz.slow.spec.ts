import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { addonFile } from '../../kernels/addon';
import { compileAddon } from '../../scripts/setup/addon';
import { findCompiler, findNodeHeaders } from '../../scripts/setup/toolchain';
import { TYPESCRIPT } from '../support/child-process';
import { temporaryDirectory } from '../support/temporary-directory';
import { describeNative } from './native-operations';

const CASES = 10_000;

/** Where the compiler keeps AddressSanitizer, which has to be loaded before anything else; null if it has none. */
function sanitizer(compiler: string): string | null {
  const { stdout } = spawnSync(compiler, ['-print-file-name=libasan.so'], { encoding: 'utf8' });
  const file = stdout.trim();
  return path.isAbsolute(file) && existsSync(file) ? file : null;
}

const temporary = temporaryDirectory();

describeNative('the native operations under AddressSanitizer', () => {
  it(`give a result or an error in ${CASES} random cases`, async () => {
    const [compiler, headers] = [await findCompiler(process.env), await findNodeHeaders(process.env)];
    const library = compiler === undefined ? null : sanitizer(compiler);
    if (compiler === undefined || headers === undefined || library === null) {
      console.warn('not run: there is no compiler with AddressSanitizer');
      return;
    }
    const directory = path.join(__dirname, '../../kernels/native');
    const output = path.join(temporary, path.basename(addonFile()));
    await compileAddon({
      compiler,
      sources: readdirSync(directory)
        .filter((name) => name.endsWith('.cc'))
        .map((name) => path.join(directory, name)),
      includes: [headers],
      flags: ['-O1', '-g', '-fsanitize=address', '-fvisibility=hidden', '-DNODE_GYP_MODULE_NAME=bergson'],
      link: ['-ldl', '-lpthread'],
      output,
    });
    const child = path.join(__dirname, 'children', 'fuzz.ts');
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['-r', TYPESCRIPT, child, `${CASES}`, '7'],
      {
        encoding: 'utf8',
        env: {
          ...process.env,
          BERGSON_ADDON: output,
          LD_PRELOAD: library,
          // What Node and TensorFlow keep until the process ends is theirs.
          ASAN_OPTIONS: 'detect_leaks=0',
        },
      },
    );
    expect(stderr).not.toContain('AddressSanitizer');
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    const [results = 0, refusals = 0] = (/(\d+) results, (\d+) refusals/.exec(stdout) ?? [])
      .slice(1)
      .map(Number);
    expect(results + refusals).toBe(CASES);
    expect(Math.min(results, refusals)).toBeGreaterThan(CASES / 10);
  }, 300_000);
});
