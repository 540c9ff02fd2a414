import tf = require('@tensorflow/tfjs');
import { share } from '../../kernels/share';

it('is the same numbers, which stay until both tensors are disposed', () => {
  const before = tf.memory().numTensors;
  const tensor = tf.tensor2d([[1, 2, 3]], [1, 3], 'int32');
  const shared = share(tensor);
  expect([shared.shape, shared.dtype]).toEqual([[1, 3], 'int32']);
  tensor.dispose();
  expect([...shared.dataSync()]).toEqual([1, 2, 3]);
  shared.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

it('is disposed by the `tidy` that it was made in, unless kept', () => {
  const tensor = tf.scalar(4);
  const shared: tf.Scalar[] = [];
  tf.tidy(() => {
    shared.push(tf.keep(share(tensor)), share(tensor));
  });
  expect(shared.map(({ isDisposed }) => isDisposed)).toEqual([false, true]);
  tf.dispose([tensor, ...shared]);
});
