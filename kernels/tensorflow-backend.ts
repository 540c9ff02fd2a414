/** The backend that tfjs-node registers, and typed access to the TensorFlow operations it runs for tfjs. */
import tf = require('@tensorflow/tfjs');

/** What this project uses of that backend. */
export interface TensorFlowBackend {
  /** Whether it comes from the package for GPUs. */
  readonly isGPUPackage: boolean;
  readonly isUsingGpuDevice: boolean;
  readonly binding: {
    readonly TF_Version: string;
    readonly TF_ATTR_BOOL: number;
    readonly TF_ATTR_INT: number;
    readonly TF_ATTR_FLOAT: number;
    readonly TF_ATTR_STRING: number;
    readonly TF_ATTR_TYPE: number;
    readonly TF_FLOAT: number;
    readonly TF_INT32: number;
  };
  executeSingleOutput(op: string, attributes: OpAttribute[], inputs: tf.Tensor[]): tf.Tensor;
  executeMultipleOutputs(
    op: string,
    attributes: OpAttribute[],
    inputs: tf.Tensor[],
    outputs: number,
  ): tf.Tensor[];
}

export interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: boolean | number | number[] | string;
}

/** The `tensorflow` backend if it is the one selected now, else undefined. */
export function tensorFlowBackend(): TensorFlowBackend | undefined {
  return tf.getBackend() === 'tensorflow' ? (tf.backend() as unknown as TensorFlowBackend) : undefined;
}

/**
 * Makes an operation a kernel of tfjs, whose registry alone has gradients that are computed only for the inputs that need one.
 * Once for each backend: a module may be loaded again beside the same tfjs.
 */
export function registerOperation(kernel: tf.KernelConfig, gradient: tf.GradConfig): void {
  const { kernelName, backendName } = kernel;
  if ((tf.getKernel(kernelName, backendName) as tf.KernelConfig | undefined) === undefined)
    tf.registerKernel(kernel);
  if ((tf.getGradient(gradient.kernelName) as tf.GradConfig | undefined) === undefined)
    tf.registerGradient(gradient);
}

/** A type attribute, such as `T`: float32 or int32. */
export function typeAttribute(
  { binding }: TensorFlowBackend,
  name: string,
  dtype: 'float32' | 'int32',
): OpAttribute {
  return {
    name,
    type: binding.TF_ATTR_TYPE,
    value: dtype === 'float32' ? binding.TF_FLOAT : binding.TF_INT32,
  };
}
