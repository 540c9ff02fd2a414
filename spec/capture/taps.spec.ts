import tf = require('@tensorflow/tfjs');
import type { AttributedLayer } from '../../lib/capture/attributed-layers';
import { placeTaps } from '../../lib/capture/taps';
import type { Tap } from '../../lib/layers/layer-gradient';

/** The gradients that arrive at a tap on what `forward` makes of its input, when `loss` is differentiated by x = 2. */
function tapped(
  forward: (input: tf.Tensor, tap: Tap) => tf.Tensor,
  loss: (x: tf.Tensor, call: (input: tf.Tensor) => tf.Tensor) => tf.Tensor,
): { arrived: number[]; gradient: number } {
  const layer = tf.layers.activation({ activation: 'linear' });
  const adapter = {
    forward: ({ inputs }: { inputs: tf.Tensor[] }, tap: Tap) => forward(inputs[0] as tf.Tensor, tap),
  };
  const attributed = { layer, adapter, path: 'layer', parts: [] } as unknown as AttributedLayer;
  const arrived: number[] = [];
  const remove = placeTaps([attributed], {
    onForward: () => undefined,
    onBackward: (_call, outputGradient) => arrived.push(outputGradient.dataSync()[0] ?? NaN),
  });
  try {
    const call = (input: tf.Tensor) => layer.call(input, {}) as tf.Tensor;
    const gradient = tf.tidy(
      () =>
        tf
          .grad((x) => loss(x, call))(tf.scalar(2))
          .dataSync()[0] ?? NaN,
    );
    return { arrived, gradient };
  } finally {
    remove();
  }
}

test('hear the gradient of what the layer made', () => {
  const found = tapped(
    (input, tap) => tap(input.mul(3), [], () => []),
    (x, call) => call(x).square(),
  );
  expect(found).toEqual({ arrived: [12], gradient: 36 }); // y = 3x: 2y, and 2y times 3
});

test.each([
  ['made by an operation before the last', (input: tf.Tensor) => [input.mul(3), input.mul(100)][0]],
  [
    'one of several that an operation made',
    (input: tf.Tensor) => tf.unstack(tf.stack([input.mul(3), input]))[0],
  ],
])('hear that of an output %s', (_what, make) => {
  const found = tapped(
    (input, tap) => tap(make(input) as tf.Tensor, [], () => []),
    (x, call) => call(x).square(),
  );
  expect(found).toEqual({ arrived: [12], gradient: 36 });
});

test('hear nothing of what its input is to others, where a layer returns that', () => {
  const found = tapped(
    (input, tap) => tap(input, [], () => []),
    (x, call) => {
      const input = x.mul(2);
      return call(input).mul(3).add(input.mul(5));
    },
  );
  expect(found).toEqual({ arrived: [3], gradient: 16 });
});

test('hear nothing of another output of the same operation', () => {
  const found = tapped(
    (input, tap) => {
      const [first, second] = tf.unstack(tf.stack([input.mul(3), input.mul(4)]));
      tap(first as tf.Tensor, [], () => []);
      return second as tf.Tensor;
    },
    (x, call) => call(x),
  );
  expect(found).toEqual({ arrived: [], gradient: 4 });
});

test('leave it to tfjs to say that an operation has no gradient', () => {
  const crop = (input: tf.Tensor) => {
    const image = input.reshape<tf.Tensor4D>([1, 1, 1, 1]);
    return tf.image.cropAndResize(image, tf.tensor2d([[0, 0, 1, 1]]), tf.tensor1d([0], 'int32'), [1, 1]);
  };
  const differentiate = () =>
    tapped(
      (input, tap) => tap(crop(input), [], () => []),
      (x, call) => call(x).sum(),
    );
  expect(differentiate).toThrow('gradient function not found for CropAndResize');
});

test('add no node to the tape where an operation has just made the output', () => {
  tapped(
    (input, tap) => {
      const output = input.mul(3);
      expect(tap(output, [], () => [])).toBe(output);
      return output;
    },
    (x, call) => call(x),
  );
  expect.assertions(1);
});
