/** Which TensorFlow.js backend runs, and why. The only file that loads tfjs-node or tfjs-node-gpu. */
import tf = require('@tensorflow/tfjs');
import { getThreadsCount } from '@tensorflow/tfjs-backend-wasm';
import { availableParallelism } from 'node:os';
import * as nodeUtil from 'node:util';
import { tensorFlowBackend } from '../kernels/tensorflow-backend';
import { registerWasmKernels } from '../kernels/wasm/register';
import { BackendUnavailableError } from './errors';

/** Backends in order of preference. */
export const BACKENDS = ['tensorflow', 'wasm', 'cpu'] as const;
export type BackendName = (typeof BACKENDS)[number];

/** What {@link describeBackend} says. */
export interface BackendDescription {
  /** Name of the backend in use. */
  readonly backend: string;
  /** Why it is this one. */
  readonly reason: string;
  /** Each better backend, and why it is not in use. */
  readonly passedOver: readonly PassedOver[];
  /** Package that provides the `tensorflow` backend, when that is in use. */
  readonly package: string | null;
  readonly device: 'cpu' | 'gpu';
  /** What factors of matrix products are rounded to. */
  readonly products: 'float32' | 'tf32';
  /** Threads one operation may use. */
  readonly threads: number;
  readonly versions: { readonly node: string; readonly tfjs: string; readonly tensorflow: string | null };
}

/** A better backend that is not in use. */
export interface PassedOver {
  readonly backend: BackendName;
  /** Whether loading it was tried, and failed. */
  readonly failed: boolean;
  readonly reason: string;
}

const GPU_PACKAGE = '@tensorflow/tfjs-node-gpu';
const CPU_PACKAGE = '@tensorflow/tfjs-node';

let reason = 'the program chose it';
const failures = new Map<BackendName, string>();

/**
 * Loads and selects a backend, and resolves to its name: `choice`, by default the environment variable
 * `BERGSON_BACKEND`, where given; else the one the program already selected (`cpu` apart, which TensorFlow.js
 * selects by itself when nothing better is loaded); else the best that loads of `tensorflow`, `wasm`, `cpu`.
 *
 * @throws BackendUnavailableError when `choice` is unknown or does not load.
 */
export async function loadBackend(choice?: string): Promise<string> {
  const forced = choice ?? environmentChoice();
  if (forced !== undefined) {
    await select(forced);
    reason = choice === undefined ? 'BERGSON_BACKEND asks for it' : 'the caller asks for it';
    return forced;
  }
  const current = selectedBackend();
  if (current !== undefined && current !== 'cpu') {
    if (current === 'wasm') registerWasmKernels();
    return current;
  }
  for (const name of BACKENDS) {
    try {
      await select(name);
      reason = 'it is the best one that loads';
      return name;
    } catch (error) {
      if (!(error instanceof BackendUnavailableError)) throw error;
    }
  }
  throw new BackendUnavailableError('cpu', 'none of the backends loads');
}

/** The backend in use, why each better one is not, and what it runs on. Call after {@link loadBackend}. */
export function describeBackend(): BackendDescription {
  const backend = tf.getBackend();
  const native = tensorFlowBackend();
  const rank = BACKENDS.findIndex((name) => name === backend);
  const better = rank < 0 ? [] : BACKENDS.slice(0, rank);
  const threads = { tensorflow: intraOpThreads, wasm: getThreadsCount, cpu: () => 1 };
  return {
    backend,
    reason,
    passedOver: better.map((name) => {
      const failure = failures.get(name);
      return { backend: name, failed: failure !== undefined, reason: failure ?? 'not tried' };
    }),
    package: native === undefined ? null : native.isGPUPackage ? GPU_PACKAGE : CPU_PACKAGE,
    device: native?.isUsingGpuDevice === true ? 'gpu' : 'cpu',
    products: native?.isUsingGpuDevice === true ? productsOnGpu() : 'float32',
    threads: rank < 0 ? 1 : threads[backend as BackendName](),
    versions: {
      node: process.versions.node,
      tfjs: tf.version.tfjs,
      tensorflow: native?.binding.TF_Version ?? null,
    },
  };
}

/** TensorFlow takes TF32, of 10 bits, where a GPU has it, unless NVIDIA_TF32_OVERRIDE=0 forbids it. */
function productsOnGpu(): 'float32' | 'tf32' {
  return tf.tidy(() => {
    const product = tf.matMul(tf.fill([128, 128], 1 + 2 ** -13), tf.eye(128));
    return product.max().dataSync()[0] === 1 ? 'tf32' : 'float32';
  });
}

async function select(name: string): Promise<void> {
  if (!isBackendName(name)) {
    throw new BackendUnavailableError(name, `there is no such backend; there are ${BACKENDS.join(', ')}`);
  }
  try {
    if (name === 'tensorflow') await loadTensorFlow();
    if (name === 'wasm') registerWasmKernels();
    if (!(await tf.setBackend(name))) throw new Error('it does not initialise');
  } catch (error) {
    const why = (error as Error).message;
    failures.set(name, why);
    throw new BackendUnavailableError(name, why, { cause: error });
  }
}

function isBackendName(name: string): name is BackendName {
  return BACKENDS.some((backend) => backend === name);
}

/** The selected backend, or undefined while there is none yet. */
function selectedBackend(): string | undefined {
  const name: unknown = tf.getBackend();
  return typeof name === 'string' ? name : undefined;
}

function isRegistered(backend: BackendName): boolean {
  return (tf.findBackendFactory(backend) as unknown) != null;
}

/** `BERGSON_BACKEND`, where it is set to something. */
function environmentChoice(): string | undefined {
  const value = process.env.BERGSON_BACKEND;
  return value === '' ? undefined : value;
}

/** Registers the `tensorflow` backend from whichever of its packages loads, unless the program already did. */
async function loadTensorFlow(): Promise<void> {
  if (isRegistered('tensorflow')) return;
  // TensorFlow writes a line on its CPU features to stderr unless told not to; warnings still come through.
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '1';
  restoreRemovedUtilities();
  const reasons: string[] = [];
  for (const name of [GPU_PACKAGE, CPU_PACKAGE]) {
    try {
      await import(name);
      return;
    } catch (error) {
      reasons.push(`${name} ${explain(error as NodeJS.ErrnoException)}`);
    }
  }
  throw new Error(reasons.join('; '));
}

function explain(error: NodeJS.ErrnoException): string {
  if (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND') return 'is not installed';
  if (error.message.includes('tfjs_binding.node) can not be found')) return 'has no native binding built';
  return `does not load: ${error.message.trim().split('\n', 1)[0] ?? ''}`;
}

/** tfjs-node 4.22 calls two functions of `node:util` that Node 23 removed. */
function restoreRemovedUtilities(): void {
  const util = (nodeUtil as { default?: object }).default ?? nodeUtil;
  const removed = {
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
    isArray: (value: unknown) => Array.isArray(value),
  };
  for (const [name, value] of Object.entries(removed)) {
    if (!(name in util)) Object.defineProperty(util, name, { value, configurable: true });
  }
}

function intraOpThreads(): number {
  const asked = Number(process.env.TF_NUM_INTRAOP_THREADS);
  return asked > 0 ? asked : availableParallelism();
}
