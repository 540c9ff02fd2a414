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
 * Allocates a zero-filled output and hands `fill` its view, with a function that gives those of the inputs. The
 * output comes first because allocating may move the heap, which would detach views taken earlier.
 */
export function fillOutput(
  call: KernelCall,
  shape: number[],
  dtype: tf.DataType,
  fill: (output: tf.TypedArray, input: (name: string) => tf.TypedArray) => void,
): tf.TensorInfo {
  const backend = call.backend as BackendWasm;
  const output = backend.makeOutput(shape, dtype);
  const view = backend.typedArrayFromHeap(output).fill(0);
  fill(view, (name) => backend.typedArrayFromHeap(call.inputs[name]!));
  return output;
}
