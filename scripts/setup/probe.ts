/** Tries native packages in a process of their own, because one that is broken may take its process with it. */
import { type CommandResult, lastWords, runCommand } from './child-process';

/** What a working binding says of itself. */
export interface BindingProbe {
  readonly tensorflow: string;
  readonly gpu: boolean;
}

const MULTIPLY = `
const tf = require(process.argv[1]);
const product = tf.matMul(tf.tensor2d([[1, 2]]), tf.tensor2d([[3], [4]])).dataSync()[0];
if (product !== 11) throw new Error('1*3 + 2*4 came out as ' + product);
const { binding, isUsingGpuDevice } = tf.backend();
console.log(JSON.stringify({ tensorflow: binding.TF_Version, gpu: isUsingGpuDevice === true }));
`;

/** Loads the tfjs-node package at `directory` and multiplies two matrices; the reason as a string if that fails. */
export async function probeBinding(directory: string): Promise<BindingProbe | string> {
  const result = await runNode(MULTIPLY, directory);
  const line = result.stdout.trim().split('\n').at(-1) ?? '';
  return result.code === 0 ? (JSON.parse(line) as BindingProbe) : failure(result);
}

const NEAREST = `
const { HierarchicalNSW } = require(process.argv[1]);
const index = new HierarchicalNSW('ip', 2);
index.initIndex(1);
index.addPoint([1, 0], 0);
if (index.searchKnn([1, 0], 1).neighbors[0] !== 0) throw new Error('it does not find its only point');
`;

/** Loads the hnswlib-node package at `directory` and finds a point; the reason if that fails, else undefined. */
export async function probeHnswlib(directory: string): Promise<string | undefined> {
  const result = await runNode(NEAREST, directory);
  return result.code === 0 ? undefined : failure(result);
}

function runNode(script: string, argument: string): Promise<CommandResult> {
  return runCommand(process.execPath, ['-e', script, argument], {
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '1' },
  });
}

function failure(result: CommandResult): string {
  if (result.stderr.includes('Could not locate the bindings file')) return 'it is not built';
  const message = /^\w*Error: .*$/m.exec(result.stderr)?.[0];
  return message ?? lastWords(result, 1);
}
