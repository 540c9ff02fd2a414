/**
 * x W + b: the definition in plain tfjs operations, and the addon's one operation, which is faster than TensorFlow's product
 * and sum, where products are of many rows.
 */
import tf = require('@tensorflow/tfjs');
import { loadAddon } from './addon';
import { nativeProcessor } from './native';
import { registerOperation, type TensorFlowBackend } from './tensorflow-backend';

export interface LinearMap {
  /** [I, O]; [O, I] where it is `transposed`. */
  readonly weight: tf.Tensor2D;
  readonly transposed: boolean;
  /** [O], or null for none. */
  readonly bias: tf.Tensor1D | null;
}

/**
 * x W + b of every row: float32 [..., I] -> [..., O]. Differentiable any number of times; gradients are computed of those
 * inputs alone that want one. The caller disposes the result.
 *
 * @throws Error when the shapes do not fit.
 */
export function linear(x: tf.Tensor, map: LinearMap): tf.Tensor {
  return tf.tidy(() => {
    if (!isNative(x)) return linearPlainly(x, map);
    const { weight, transposed, bias } = map;
    const inputs: tf.NamedTensorMap = { x, weight, bias: bias ?? tf.tensor2d([], [0, 0]) };
    return tf.engine().runKernel<tf.Tensor>(KERNEL, inputs, { transposed });
  });
}

/** Of fewer rows the operation, which copies the weight, is slower than TensorFlow's. */
const LEAST_ROWS = 64;

function isNative(x: tf.Tensor): boolean {
  if (nativeProcessor() === null) return false;
  const addon = loadAddon();
  // TensorFlow's own products are faster than those of the baseline.
  if (typeof addon === 'string' || addon.instructionSets[0] === 'baseline') return false;
  return x.size >= LEAST_ROWS * (x.shape.at(-1) ?? 0);
}

/** {@link linear} in plain tfjs operations, its definition. */
export function linearPlainly(x: tf.Tensor, { weight, transposed, bias }: LinearMap): tf.Tensor {
  const product = tf.matMul(asRows(x), weight, false, transposed); // [rows, O]
  const sum: tf.Tensor = bias === null ? product : tf.add(product, bias);
  return sum.reshape([...x.shape.slice(0, -1), ...product.shape.slice(1)]);
}

/** {@link linear} by the addon's operation; it has no gradient. */
export function linearNatively(
  x: tf.Tensor,
  { weight, transposed, bias }: LinearMap,
  backend: TensorFlowBackend,
): tf.Tensor {
  const attributes = [{ name: 'transposed', type: backend.binding.TF_ATTR_BOOL, value: transposed }];
  const inputs = [x, weight, bias ?? tf.tensor2d([], [0, 0])];
  return backend.executeSingleOutput('BergsonLinear', attributes, inputs);
}

function asRows(x: tf.Tensor): tf.Tensor2D {
  return x.reshape([-1, x.shape.at(-1) ?? 0]);
}

/** What the operation is to tfjs. */
const KERNEL = 'BergsonLinear';

const kernel: tf.KernelConfig = {
  kernelName: KERNEL,
  backendName: 'tensorflow',
  kernelFunc: ({ inputs, attrs, backend }) => {
    const { x, weight, bias } = inputs as { x: tf.Tensor; weight: tf.Tensor2D; bias: tf.Tensor1D };
    const { transposed } = attrs as unknown as LinearMap;
    return linearNatively(x, { weight, transposed, bias }, backend as unknown as TensorFlowBackend);
  },
};

const gradient: tf.GradConfig = {
  kernelName: KERNEL,
  inputsToSave: ['x', 'weight'],
  gradFunc(dy, saved, attrs) {
    const [x, weight] = saved as [tf.Tensor, tf.Tensor2D];
    const { transposed } = attrs as unknown as LinearMap;
    const outputGradients = dy as tf.Tensor;
    return {
      x: () => linear(outputGradients, { weight, transposed: !transposed, bias: null }),
      weight: () => {
        const [inputs, outputs] = [asRows(x), asRows(outputGradients)];
        return transposed ? tf.matMul(outputs, inputs, true) : tf.matMul(inputs, outputs, true);
      },
      bias: () => tf.sum(asRows(outputGradients), 0),
    };
  },
};

registerOperation(kernel, gradient);
