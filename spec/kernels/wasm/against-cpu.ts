/** Runs one kernel on the `wasm` and on the `cpu` backend of TensorFlow.js and compares. */
import tf = require('@tensorflow/tfjs');
import { registerWasmKernels } from '../../../kernels/wasm/register';
import { loadBackend } from '../../../lib/backend';

/** Selects the `wasm` backend for a spec file, and puts the previous one back. */
export function useWasm(): void {
  let before: string;
  beforeAll(async () => {
    // The cpu backend recommends another one on first use.
    jest.spyOn(console, 'warn').mockImplementation();
    before = await loadBackend();
    await tf.setBackend('wasm');
    registerWasmKernels();
  });
  afterAll(async () => {
    await tf.setBackend(before);
    jest.restoreAllMocks();
  });
}

/** Deterministic values of mixed sign, so that sums cancel and signs matter. */
export function values(shape: number[], seed: number): Float32Array {
  const data = new Float32Array(tf.util.sizeFromShape(shape));
  return data.map((_, index) => Math.sin(seed + 1.7 * index) * (1 + (index % 3)));
}

/** Expects `compute` to give the same on both backends, and to keep nothing but its result in memory. */
export async function expectSameOnCpu(compute: () => tf.Tensor): Promise<void> {
  const run = async (backend: string) => {
    await tf.setBackend(backend);
    const tensors = tf.memory().numTensors;
    const result = compute();
    expect(tf.memory().numTensors).toBe(tensors + 1);
    const data = await result.data<'float32'>();
    const output = { shape: result.shape, dtype: result.dtype, data };
    result.dispose();
    expect(tf.memory().numTensors).toBe(tensors);
    return output;
  };
  const expected = await run('cpu');
  const actual = await run('wasm');
  expect(actual.shape).toEqual(expected.shape);
  expect(actual.dtype).toBe(expected.dtype);
  // One entry is a sum of up to 400 terms of size up to 9 that cancel, added in float32 in another order.
  const scale = expected.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  actual.data.forEach((value, index) => {
    expect(Math.abs(value - expected.data[index]!)).toBeLessThanOrEqual(5e-5 * scale);
  });
}
