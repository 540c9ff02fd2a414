/** Views of tensors on the heap of the `wasm` backend, for kernels written as plain loops. */
import type * as tf from '@tensorflow/tfjs';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';

/** What a kernel function is called with. */
export interface KernelCall {
  readonly inputs: tf.NamedTensorInfoMap;
  readonly backend: unknown;
  readonly attrs?: tf.NamedAttrMap;
}

/**
 * Allocates a zero-filled output and hands `fill` its view and those of the two inputs named. The
 * output comes first because allocating may move the heap, which would detach views taken earlier.
 */
export function fillOutput(
  call: KernelCall,
  shape: number[],
  dtype: tf.DataType,
  [first, second]: readonly [string, string],
  fill: (output: tf.TypedArray, first: tf.TypedArray, second: tf.TypedArray) => void,
): tf.TensorInfo {
  const backend = call.backend as BackendWasm;
  const output = backend.makeOutput(shape, dtype);
  const view = backend.typedArrayFromHeap(output).fill(0);
  const inputView = (name: string) => backend.typedArrayFromHeap(call.inputs[name]!);
  fill(view, inputView(first), inputView(second));
  return output;
}
