/** Brings approximate search to work: hnswlib-node compiled for this processor. */
import { SetupError } from './errors';
import { buildHnswlib, hnswlibBuiltFor, hnswlibFile, instructionSet } from './hnswlib';
import type { Outcome } from './outcome';
import { HNSWLIB_PACKAGE, packageDirectory } from './packages';
import { probeHnswlib } from './probe';
import { type Report, step } from './progress';
import { findCompiler, findNodeHeaders } from './toolchain';

const INSTEAD = 'Exact search serves instead.';

/** Makes hnswlib-node work, or says why it cannot. */
export async function setUpSearch(
  report: Report,
  env: NodeJS.ProcessEnv = process.env,
  directory = packageDirectory(HNSWLIB_PACKAGE),
): Promise<Outcome> {
  if (directory === undefined) return notReady(`${HNSWLIB_PACKAGE} is not installed`);
  const set = instructionSet();
  const broken = await probeHnswlib(directory);
  if (broken === undefined && hnswlibBuiltFor(directory) === set) return ready(directory);

  const compiler = await findCompiler(env);
  const headers = await findNodeHeaders(env);
  if (compiler === undefined || headers === undefined) {
    const what = compiler === undefined ? 'C++ compiler' : `headers of Node ${process.versions.node}`;
    return broken === undefined
      ? ready(directory)
      : notReady(`could not set up hnswlib: no ${what} found; install it, then \`bergson setup\``);
  }
  try {
    await step(
      report,
      'compiling hnswlib',
      () => `compiled hnswlib (${set})`,
      () => buildHnswlib(directory, set, { compiler, headers }),
    );
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return notReady(error.message);
  }
  const stillBroken = await probeHnswlib(directory);
  return stillBroken === undefined ? ready(directory) : notReady(`hnswlib does not load: ${stillBroken}`);
}

function ready(directory: string): Outcome {
  const set = hnswlibBuiltFor(directory) ?? 'built elsewhere';
  return { part: 'hnswlib', ready: true, detail: `hnswlib works (${set})`, files: [hnswlibFile(directory)] };
}

function notReady(why: string): Outcome {
  return { part: 'hnswlib', ready: false, detail: `${why}. ${INSTEAD}`, files: [] };
}
