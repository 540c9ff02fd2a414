/**
 * Activation functions and their gradients: the definitions in plain tfjs operations, and the addon's operations, which go
 * over their inputs once.
 */
import tf = require('@tensorflow/tfjs');
import { nativeProcessor } from './native';
import type { TensorFlowBackend } from './tensorflow-backend';

export type ActivationFunction = 'gelu' | 'geluTanh' | 'silu';

interface Definition {
  readonly value: (x: tf.Tensor) => tf.Tensor;
  readonly derivative: (x: tf.Tensor) => tf.Tensor;
}

const SLOPE = 2 * Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;

/** Gaussian error linear unit, x Φ(x). Hendrycks & Gimpel, arXiv 1606.08415. */
const gelu: Definition = {
  value: (x) => tf.mul(x, normalDistribution(x)),
  derivative(x) {
    const density = tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return tf.add(normalDistribution(x), tf.mul(x, density));
  },
};

/** Φ(x). */
function normalDistribution(x: tf.Tensor): tf.Tensor {
  return tf.add(tf.mul(tf.erf(tf.mul(x, Math.SQRT1_2)), 0.5), 0.5);
}

/**
 * Gaussian error linear unit, approximated with tanh: x σ(2 u), u = sqrt(2 / π) (x + 0.044715 x³), since (1 + tanh u) / 2
 * is σ(2 u). Hendrycks & Gimpel, arXiv 1606.08415.
 */
const geluTanh: Definition = {
  value: (x) => tf.mul(x, geluTanhGate(x, tf.square(x))),
  derivative(x) {
    // σ + x σ (1 - σ) (2 u)', with x (2 u)' = x (a + 3 b x²)
    const square = tf.square(x);
    const gate = geluTanhGate(x, square);
    const steepness = tf.mul(x, tf.add(tf.mul(square, 3 * SLOPE * CUBIC), SLOPE));
    return tf.mul(gate, tf.add(tf.mul(steepness, tf.sub(1, gate)), 1));
  },
};

/** σ(2 u). */
function geluTanhGate(x: tf.Tensor, square: tf.Tensor): tf.Tensor {
  return tf.sigmoid(tf.mul(x, tf.add(tf.mul(square, SLOPE * CUBIC), SLOPE)));
}

/** Sigmoid linear unit, x σ(x), also called swish. Elfwing et al., arXiv 1702.03118. */
const silu: Definition = {
  value: (x) => tf.mul(x, tf.sigmoid(x)),
  derivative(x) {
    const gate = tf.sigmoid(x);
    return tf.mul(gate, tf.add(tf.mul(x, tf.sub(1, gate)), 1));
  },
};

const DEFINITIONS: Record<ActivationFunction, Definition> = { gelu, geluTanh, silu };

/** The function of each element of x: float32 of any shape to the same. Runs inside the caller's `tf.tidy`. */
export function activate(name: ActivationFunction, x: tf.Tensor): tf.Tensor {
  const backend = nativeProcessor();
  return backend === null ? activatePlainly(name, x) : activateNatively(name, x, backend);
}

/**
 * `outputGradients` times the function's derivative at x, of one shape, which is the result's. Runs inside the caller's
 * `tf.tidy`.
 *
 * @throws Error when the shapes differ.
 */
export function activationGradient(
  name: ActivationFunction,
  x: tf.Tensor,
  outputGradients: tf.Tensor,
): tf.Tensor {
  const backend = nativeProcessor();
  return backend === null
    ? activationGradientPlainly(name, x, outputGradients)
    : activationGradientNatively(name, x, outputGradients, backend);
}

/** {@link activate} times factors, all of one shape. */
export function gate(name: ActivationFunction, x: tf.Tensor, factors: tf.Tensor): tf.Tensor {
  const backend = nativeProcessor();
  return backend === null ? gatePlainly(name, x, factors) : gateNatively(name, x, factors, backend);
}

/**
 * The gradients of x and of the factors in {@link gate}, all of one shape. Runs inside the caller's `tf.tidy`.
 *
 * @throws Error when the shapes differ.
 */
export function gateGradients(
  name: ActivationFunction,
  x: tf.Tensor,
  factors: tf.Tensor,
  outputGradients: tf.Tensor,
): [tf.Tensor, tf.Tensor] {
  const backend = nativeProcessor();
  return backend === null
    ? gateGradientsPlainly(name, x, factors, outputGradients)
    : gateGradientsNatively(name, x, factors, outputGradients, backend);
}

/** {@link activate} in plain tfjs operations, its definition. */
export function activatePlainly(name: ActivationFunction, x: tf.Tensor): tf.Tensor {
  return DEFINITIONS[name].value(x);
}

/** {@link activationGradient} in plain tfjs operations, its definition; they can be differentiated in turn. */
export function activationGradientPlainly(
  name: ActivationFunction,
  x: tf.Tensor,
  outputGradients: tf.Tensor,
): tf.Tensor {
  return tf.mul(outputGradients, DEFINITIONS[name].derivative(x));
}

/** {@link gate} in plain tfjs operations, its definition. */
export function gatePlainly(name: ActivationFunction, x: tf.Tensor, factors: tf.Tensor): tf.Tensor {
  return tf.mul(activatePlainly(name, x), factors);
}

/** {@link gateGradients} in plain tfjs operations, its definition; they can be differentiated in turn. */
export function gateGradientsPlainly(
  name: ActivationFunction,
  x: tf.Tensor,
  factors: tf.Tensor,
  outputGradients: tf.Tensor,
): [tf.Tensor, tf.Tensor] {
  return [
    activationGradientPlainly(name, x, tf.mul(outputGradients, factors)),
    tf.mul(outputGradients, activatePlainly(name, x)),
  ];
}

/** {@link activate} by the addon's operation. */
export function activateNatively(
  name: ActivationFunction,
  x: tf.Tensor,
  backend: TensorFlowBackend,
): tf.Tensor {
  return backend.executeSingleOutput('BergsonActivation', [functionAttribute(name, backend)], [x]);
}

/** {@link activationGradient} by the addon's operation. */
export function activationGradientNatively(
  name: ActivationFunction,
  x: tf.Tensor,
  outputGradients: tf.Tensor,
  backend: TensorFlowBackend,
): tf.Tensor {
  const attributes = [functionAttribute(name, backend)];
  return backend.executeSingleOutput('BergsonActivationGradient', attributes, [x, outputGradients]);
}

/** {@link gate} by the addon's operation. */
export function gateNatively(
  name: ActivationFunction,
  x: tf.Tensor,
  factors: tf.Tensor,
  backend: TensorFlowBackend,
): tf.Tensor {
  const attributes = [functionAttribute(name, backend)];
  return backend.executeSingleOutput('BergsonGatedActivation', attributes, [x, factors]);
}

/** {@link gateGradients} by the addon's operation. */
export function gateGradientsNatively(
  name: ActivationFunction,
  x: tf.Tensor,
  factors: tf.Tensor,
  outputGradients: tf.Tensor,
  backend: TensorFlowBackend,
): [tf.Tensor, tf.Tensor] {
  const attributes = [functionAttribute(name, backend)];
  const inputs = [x, factors, outputGradients];
  const outputs = backend.executeMultipleOutputs('BergsonGatedActivationGradients', attributes, inputs, 2);
  return outputs as [tf.Tensor, tf.Tensor];
}

function functionAttribute(value: ActivationFunction, { binding }: TensorFlowBackend) {
  return { name: 'function', type: binding.TF_ATTR_STRING, value };
}
