import * as tf from '@tensorflow/tfjs';
import { SecondDerivativeError } from '../../callbacks';
import { causalAttention } from '../../lib/models/layers/causal-attention';

it('refuses to be differentiated twice, and says of what', () => {
  tf.tidy(() => {
    const heads = tf.randomNormal<tf.Rank.R4>([1, 2, 3, 4], 0, 1, 'float32', 1);
    const attend = (x: tf.Tensor) =>
      causalAttention(x as tf.Tensor4D, x as tf.Tensor4D, x as tf.Tensor4D, { scale: 0.5, window: null });
    const first = tf.grad(attend);
    expect(first(heads).shape).toEqual(heads.shape);
    const second = () => tf.grad((x: tf.Tensor) => first(x).square().sum())(heads);
    expect(second).toThrow(SecondDerivativeError);
    expect(second).toThrow(/gradient of causal attention/);
  });
});
