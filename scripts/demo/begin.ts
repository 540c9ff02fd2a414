/** What the demos have in common: how they are called, begin and end. */
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { applyHostFixes, BergsonError, loadBackend, Run } from '../../callbacks';
import { colors } from '../terminal/colors';
import { paragraph } from '../terminal/layout';
import { removeRun } from './remove-run';
import { heading } from './report';

const INTERRUPTED = 130;

/** What all demos take. */
interface Defaults {
  readonly epochs: number;
  /** Where the run is left unless told otherwise, and in words what is there. */
  readonly path: string;
  readonly describePath: string;
}

/** The arguments of a demo, to which it adds its own. */
export function demoArguments(usage: string, { epochs, path, describePath }: Defaults) {
  return yargs(hideBin(process.argv))
    .usage(usage)
    .option('epochs', { type: 'number', default: epochs })
    .option('path', { type: 'string', default: path, describe: describePath })
    .strict();
}

/** Loads a backend, and makes room for the run. Resolves to the backend's name. */
export async function begin(run: string): Promise<string> {
  const backend = await loadBackend();
  applyHostFixes();
  removeRun(run);
  return backend;
}

/** Says what is there after Ctrl-C, which is what the process then exits with. */
export function tellStopped(run: string): void {
  console.log(paragraph(`Stopped early. ${run} is ${Run.open(run).describe()}.`));
  process.exitCode = INTERRUPTED;
}

/** Lists further commands of `bergson`. */
export function tellWhatNext(commands: readonly string[]): void {
  console.log(heading('Next'));
  for (const command of commands) console.log(colors.cyan(`  npx bergson ${command}`));
}

/** Runs the demo `name` to its end. */
export function runDemo(name: string, main: () => Promise<void>): void {
  main().catch((error: unknown) => {
    console.error(error instanceof BergsonError ? `${name}: ${error.message}` : error);
    process.exitCode = 1;
  });
}
