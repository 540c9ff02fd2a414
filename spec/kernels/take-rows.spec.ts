import tf = require('@tensorflow/tfjs');
import { takeRows } from '../../kernels/take-rows';

test.each(['float32', 'int32', 'bool'] as const)('are what tf.gather takes of %s', (dtype) => {
  tf.tidy(() => {
    const whole = tf.tensor3d([1, 0, 1, 1, 0, 0, 0, 1, 1, 0, 1, 0], [3, 2, 2], dtype);
    const ids = tf.tensor1d([2, 0, 2, 1], 'int32');
    const rows = takeRows(whole, ids);
    expect(rows.dtype).toBe(dtype);
    expect(rows.arraySync()).toEqual(tf.gather(whole, ids).arraySync());
  });
});

test('leave no tensor behind', () => {
  const { numTensors } = tf.memory();
  const [whole, ids] = [tf.ones([3, 2]), tf.tensor1d([1], 'int32')];
  tf.dispose([takeRows(whole, ids), whole, ids]);
  expect(tf.memory().numTensors).toBe(numTensors);
});
