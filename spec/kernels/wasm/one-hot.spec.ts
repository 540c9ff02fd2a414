import tf = require('@tensorflow/tfjs');
import { expectSameOnCpu, useWasm } from './against-cpu';

useWasm();

describe('OneHot on wasm', () => {
  it.each(['float32', 'int32', 'bool'] as const)('has the values asked for in %s', async (dtype) => {
    await expectSameOnCpu(() =>
      tf.tidy(() => tf.oneHot(tf.tensor2d([1, 3, 1, -1, 4, 0], [2, 3], 'int32'), 4, 1, 0, dtype)),
    );
  });

  it('takes other values than one and zero', async () => {
    await expectSameOnCpu(() =>
      tf.tidy(() => tf.oneHot(tf.tensor1d([2, 0], 'int32'), 3, 0.5, -1.5, 'float32')),
    );
  });
});
