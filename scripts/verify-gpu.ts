/**
 * `npm run verify:gpu`: the native operations on this machine's GPU. Whether they are right over many shapes, then
 * whether they wait for what TensorFlow has queued before them, then their time against the GPU's memory. Without a GPU
 * it says so and ends well, unless `--require` asks for one.
 */
import Table from 'cli-table3';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { nativeAddon, nativeBackend } from '../kernels/native';
import type { TensorFlowBackend } from '../kernels/tensorflow-backend';
import { describeBackend, loadBackend } from '../lib/backend';
import { multiplyExactly } from './bench/exact-products';
import { allCases, errorOf, RANDOM_CASES } from './verify-gpu/cases';
import { ordered } from './verify-gpu/order';
import { bandwidth, timings } from './verify-gpu/timings';

/** Both orders of float32 sums, relative to the largest element. */
const ROUNDING = 1e-5;

async function main(): Promise<void> {
  const { require, driver } = await yargs(hideBin(process.argv))
    .usage('$0 checks and times the native operations on the GPU')
    .option('require', { type: 'boolean', default: false, describe: 'Fail where there is no GPU' })
    .option('driver', { type: 'string', default: 'libcuda.so.1', describe: "The CUDA driver's library" })
    .strict()
    .parse();
  multiplyExactly();
  await loadBackend();
  const onGpu = describeBackend().device === 'gpu';
  const backend = usableBackend(onGpu ? null : driver);
  if (typeof backend === 'string') {
    console.log(`skipped: ${backend}`);
    if (require) process.exitCode = 1;
    return;
  }
  console.log(
    onGpu
      ? 'TensorFlow runs on the GPU'
      : 'TensorFlow runs on the processor; tensors are copied to the GPU and back',
  );
  if (!verify(backend)) process.exitCode = 1;
  if (!onGpu) {
    console.log(
      'not checked: order and time, for which TensorFlow has to run on the GPU (bergson setup --gpu)',
    );
    return;
  }
  const inOrder = ordered(backend);
  console.log(`${inOrder ? 'wait' : 'DO NOT WAIT'} for work that is queued before them, and are waited for`);
  if (!inOrder) process.exitCode = 1;
  time(backend);
}

/** The backend whose native operations run on a GPU, or why there is none. */
function usableBackend(driver: string | null): TensorFlowBackend | string {
  const addon = nativeAddon();
  if (typeof addon === 'string') return addon;
  const problem = driver === null ? '' : addon.useCuda(driver);
  return problem === '' ? (nativeBackend() ?? 'there are no native operations') : problem;
}

function verify(backend: TensorFlowBackend): boolean {
  const operations = new Map<string, number[]>();
  for (const one of allCases(3 * RANDOM_CASES)) {
    const error = errorOf(one, backend);
    operations.set(one.operation, [...(operations.get(one.operation) ?? []), error]);
    if (error > ROUNDING) console.log(`wrong by ${error}: ${one.operation} ${one.sizes}`);
  }
  const table = new Table({ head: ['operation', 'shapes', 'largest relative error', ''] });
  for (const [operation, errors] of operations) {
    const largest = Math.max(...errors);
    table.push([operation, errors.length, largest.toExponential(1), largest > ROUNDING ? 'WRONG' : 'right']);
  }
  console.log(table.toString());
  return [...operations.values()].flat().every((error) => error <= ROUNDING);
}

function time(backend: TensorFlowBackend): void {
  const measured = bandwidth();
  console.log(`a copy of a large tensor moves ${(measured / 1e9).toFixed(0)} GB/s`);
  const head = ['operation', 'sizes', 'ms', 'plain, ms', 'GB/s', 'of a copy'];
  const table = new Table({ head, colAligns: ['left', 'left', 'right', 'right', 'right', 'right'] });
  for (const { operation, sizes, bytes, native, plain } of timings(backend)) {
    const speed = bytes / (native / 1e3);
    table.push([
      ...[operation, sizes, native.toFixed(3), plain.toFixed(3)],
      ...[(speed / 1e9).toFixed(0), `${((100 * speed) / measured).toFixed(0)} %`],
    ]);
  }
  console.log(table.toString());
}

void main();
