import tf = require('@tensorflow/tfjs');
import { SecondDerivativeError } from '../../callbacks';
import { causalAttention } from '../../lib/models/layers/causal-attention';

it('refuses to be differentiated twice, and says of what', () => {
  tf.tidy(() => {
    const maps = tf.randomNormal([1, 3, 8], 0, 1, 'float32', 1);
    const attend = (x: tf.Tensor) => causalAttention([x, x, x], { heads: 2, scale: 0.5 });
    const first = tf.grad(attend);
    expect(first(maps).shape).toEqual(maps.shape);
    const second = () => tf.grad((x: tf.Tensor) => first(x).square().sum())(maps);
    expect(second).toThrow(SecondDerivativeError);
    expect(second).toThrow(/gradient of causal attention/);
  });
});
