/** Some examples of a data set. */
import tf = require('@tensorflow/tfjs');
import { tensorFlowBackend, typeAttribute } from './tensorflow-backend';

/**
 * The rows of `whole` [N, ...] that `ids` int32 [n] names: [n, ...]. They must be below N: `tf.gather` makes sure of that, for which it
 * reads them back each time, and takes as long again as TensorFlow's operation alone.
 */
export function takeRows(whole: tf.Tensor, ids: tf.Tensor1D): tf.Tensor {
  const { dtype } = whole;
  const backend = tensorFlowBackend();
  if (backend === undefined || (dtype !== 'float32' && dtype !== 'int32')) return tf.gather(whole, ids);
  const types = [typeAttribute(backend, 'Tparams', dtype), typeAttribute(backend, 'Tindices', 'int32')];
  return backend.executeSingleOutput('Gather', types, [whole, ids]);
}
