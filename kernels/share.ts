/** Another tensor of the same numbers. */
import tf = require('@tensorflow/tfjs');

const { engine, getKernel, Identity } = tf; // of what runs several times a layer and step, tfjs's getters would be half

/**
 * What `clone` returns, which whoever made it disposes, in a fifth of its time: nothing records it on a gradient tape.
 */
export function share<T extends tf.Tensor>(tensor: T): T {
  const { backend, backendName } = engine();
  const identity = getKernel(Identity, backendName);
  const info = identity.kernelFunc({ inputs: { x: tensor }, backend }) as tf.TensorInfo;
  return engine().makeTensorFromTensorInfo(info) as T;
}
