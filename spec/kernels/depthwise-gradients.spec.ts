import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import {
  depthwiseGradients,
  depthwiseGradientsNatively,
  depthwiseGradientsPlainly,
  type DepthwiseFactors,
} from '../../kernels/depthwise-gradients';
import { asPositions } from '../../kernels/project';
import { relativeError, ROUNDING } from '../support/closeness';
import { anySizes, asLinearMap, draw, EDGES, PLAIN, type Sizes } from './convolutions';
import { describeNative, eachDevice, nativeOperations } from './native-operations';

/** A depthwise convolution of the sizes' geometry, with one to three outputs a channel. */
function drawDepthwise(sizes: Sizes): DepthwiseFactors {
  const multiplier = 1 + (sizes.outputs % 3);
  return draw({ ...sizes, outputs: sizes.channels * multiplier });
}

/** From the patches [N, S, kh kw C], one channel with its outputs after the other. */
function fromPatches(factors: DepthwiseFactors): tf.Tensor3D {
  const { image, outputGradients, window } = factors;
  const sides = { right: tf.zeros<tf.Rank.R2>([0, 0]), biasRow: null, left: null, multiplier: 1 };
  const [n, , , channels] = image.shape;
  const [positions, taps] = [
    outputGradients.shape[1] * outputGradients.shape[2],
    window.kernelSize[0] * window.kernelSize[1],
  ];
  const patches = asPositions(asLinearMap({ ...sides, ...factors }).activations).reshape([
    n,
    positions,
    taps,
    channels,
  ]);
  const gradients = outputGradients.reshape([n, positions, channels, -1]);
  const byChannel = Array.from({ length: channels }, (_, channel) => {
    const ofChannel: tf.Tensor3D = patches.gather([channel], 3).squeeze([3]); // [N, S, kh kw]
    const ofOutputs: tf.Tensor3D = gradients.gather([channel], 2).squeeze([2]); // [N, S, m]
    return tf.matMul<tf.Tensor3D>(ofOutputs, ofChannel, true, false);
  });
  return tf.concat3d(byChannel, 1);
}

function errorOf(differentiate: (factors: DepthwiseFactors) => tf.Tensor3D, sizes: Sizes): number {
  return tf.tidy(() => {
    const factors = drawDepthwise(sizes);
    const [found, expected] = [differentiate(factors), fromPatches(factors)];
    expect(found.shape).toEqual(expected.shape);
    return relativeError(found.dataSync<'float32'>(), expected.dataSync<'float32'>());
  });
}

const natively = (factors: DepthwiseFactors) => depthwiseGradientsNatively(factors, nativeOperations());
/** What tfjs's own kernel serves. */
const plain = EDGES.filter(
  ({ dilations, strides }) => dilations.every((dilation) => dilation === 1) && strides[0] === strides[1],
);

describe('the gradients of a depthwise convolution', () => {
  it.each(plain)('are those of each channel: %j', (sizes) => {
    expect(errorOf(depthwiseGradientsPlainly, sizes)).toBeLessThan(ROUNDING);
    expect(errorOf(depthwiseGradients, sizes)).toBeLessThan(ROUNDING);
  });

  it('leave no tensor behind', () => {
    const before = tf.memory().numTensors;
    errorOf(depthwiseGradients, PLAIN);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describeNative('the native gradients of a depthwise convolution', () => {
  eachDevice('agree with those of each channel', () => {
    fc.assert(
      fc.property(anySizes, (sizes) => {
        expect(errorOf(natively, sizes)).toBeLessThan(ROUNDING);
      }),
      { numRuns: 30 },
    );
    for (const sizes of EDGES) expect(errorOf(natively, sizes)).toBeLessThan(ROUNDING);
  });

  const zeros = tf.zeros as (shape: number[]) => tf.Tensor;
  it.each([
    ['image', [2, 12, 12, 5], /image \[2, 12, 12, 5\] and output_gradients \[3, .* differ in examples/],
    ['image', [3, 12, 5], /image \[3, 12, 5\] is not of rank 4/],
    ['outputGradients', [3, 12, 12, 7], /output_gradients .* has no multiple of the channels of image/],
    ['outputGradients', [3, 40, 12, 5], /output_gradients .* has more positions than image/],
  ] as const)('refuse %s of shape %j', (name, shape, message) => {
    const failing = () => tf.tidy(() => natively({ ...drawDepthwise(PLAIN), [name]: zeros([...shape]) }));
    expect(failing).toThrow(message);
    expect(failing).toThrow('BergsonDepthwise');
  });
});
