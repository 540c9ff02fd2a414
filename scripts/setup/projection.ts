/** Builds the projection addon from kernels/native/, with the kernels of kernels/cuda/ in it. It needs neither headers nor libraries of TensorFlow. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addonFile } from '../../kernels/addon';
import { compileAddon } from './addon';
import { SetupError } from './errors';
import type { Outcome } from './outcome';
import { packageRoot } from '../../kernels/package-root';
import { type Report, step } from './progress';
import { findCompiler, findNodeHeaders } from './toolchain';

const INSTEAD = 'Plain operations serve instead, with the same results.';

/** Makes the addon be what its sources say, or says why it cannot. */
export async function setUpProjection(
  report: Report,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Outcome> {
  const cuda = join(packageRoot(), 'kernels', 'cuda');
  const sources = [join(packageRoot(), 'kernels', 'native'), cuda].flatMap((directory) =>
    readdirSync(directory).map((name) => join(directory, name)),
  );
  const output = addonFile();
  const record = `${output}.sources`;
  const hash = sources
    .reduce((sum, file) => sum.update(readFileSync(file)), createHash('sha256'))
    .digest('hex');
  const ready: Outcome = {
    part: 'projection',
    ready: true,
    detail: 'the projection addon is built',
    files: [output, ...sources],
  };
  if (existsSync(output) && existsSync(record) && readFileSync(record, 'utf8') === hash) return ready;
  const compiler = await findCompiler(env);
  const headers = await findNodeHeaders(env);
  if (compiler === undefined || headers === undefined) {
    const what = compiler === undefined ? 'C++ compiler' : `headers of Node ${process.versions.node}`;
    return notReady(
      `could not build the projection addon: no ${what} found; install it, then \`bergson setup\``,
    );
  }
  const build = () =>
    compileAddon({
      compiler,
      sources: sources.filter((file) => file.endsWith('.cc')),
      includes: [headers],
      flags: [
        ...['-O3', '-fvisibility=hidden', '-DNODE_GYP_MODULE_NAME=bergson'],
        `-DBERGSON_PTX="${join(cuda, 'bergson.ptx')}"`,
      ],
      link: process.platform === 'linux' ? ['-ldl', '-lpthread'] : [],
      output,
    });
  try {
    await step(report, 'compiling the projection addon', () => 'compiled the projection addon', build);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return notReady(error.message);
  }
  writeFileSync(record, hash);
  return ready;
}

function notReady(why: string): Outcome {
  return { part: 'projection', ready: false, detail: `${why}. ${INSTEAD}`, files: [] };
}
