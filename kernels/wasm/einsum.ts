/** Einstein summation, which multi-head attention and its gradients are written in. */
import tf = require('@tensorflow/tfjs');
import type { KernelCall } from './heap';

/**
 * One or two tensors -> the contraction that `equation` says, as one batched matrix product over three groups of
 * labels for each operand: those in both operands and the output, its own, and those summed over.
 */
export const einsum: tf.KernelConfig = {
  kernelName: tf.Einsum,
  backendName: 'wasm',
  kernelFunc: ({ inputs, attrs }: KernelCall) => {
    const { equation } = attrs as unknown as tf.EinsumAttrs;
    const tensors = Object.values(inputs) as tf.Tensor[];
    const { allDims, summedDims, idDims } = tf.backend_util.decodeEinsumEquation(equation, tensors.length);
    tf.backend_util.checkEinsumDimSizes(allDims.length, idDims, tensors);
    // Labels are numbers from here on, those of the output first and in its order.
    const summed = new Set(summedDims);
    return tf.tidy(() => {
      const [left, right] = tensors.map((tensor, index) => {
        const others = new Set(idDims.flatMap((labels, other) => (other === index ? [] : labels)));
        return withoutOwnSums({ tensor, labels: idDims[index]! }, summed, others);
      });
      const result = right === undefined ? left! : contract(left!, right, summed);
      return arrange(
        result,
        allDims.map((_, label) => label).filter((label) => !summed.has(label)),
      );
    });
  },
};

interface Operand {
  readonly tensor: tf.Tensor;
  /** Label of each axis. */
  readonly labels: readonly number[];
}

/** Sums over the labels that no other operand has. */
function withoutOwnSums({ tensor, labels }: Operand, summed: Set<number>, others: Set<number>): Operand {
  const own = (label: number) => summed.has(label) && !others.has(label);
  const axes = labels.flatMap((label, axis) => (own(label) ? [axis] : []));
  const kept = labels.filter((label) => !own(label));
  return { tensor: axes.length === 0 ? tensor : tf.sum(tensor, axes), labels: kept };
}

function contract(left: Operand, right: Operand, summed: Set<number>): Operand {
  const shared = left.labels.filter((label) => right.labels.includes(label));
  const batch = shared.filter((label) => !summed.has(label));
  const inner = shared.filter((label) => summed.has(label));
  const rows = left.labels.filter((label) => !shared.includes(label));
  const columns = right.labels.filter((label) => !shared.includes(label));
  const sizes = new Map<number, number>();
  for (const { tensor, labels } of [left, right]) {
    labels.forEach((label, axis) => sizes.set(label, tensor.shape[axis]!));
  }
  const dims = (labels: readonly number[]) => labels.map((label) => sizes.get(label)!);
  const size = (labels: readonly number[]) => tf.util.sizeFromShape(dims(labels));

  const a = arrange(left, [...batch, ...rows, ...inner]);
  const b = arrange(right, [...batch, ...inner, ...columns]);
  const product = tf.matMul(
    tf.reshape(a, [size(batch), size(rows), size(inner)]),
    tf.reshape(b, [size(batch), size(inner), size(columns)]),
  ); // [batch, rows, columns]
  const labels = [...batch, ...rows, ...columns];
  return { tensor: tf.reshape(product, dims(labels)), labels };
}

/** The operand's tensor with its axes in the order of `labels`. */
function arrange(operand: Operand, labels: readonly number[]): tf.Tensor {
  const axes = labels.map((label) => operand.labels.indexOf(label));
  return axes.every((axis, position) => axis === position)
    ? tf.clone(operand.tensor)
    : tf.transpose(operand.tensor, axes);
}
