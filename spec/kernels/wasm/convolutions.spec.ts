import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import { expectSameOnCpu, useWasm, values } from './against-cpu';

useWasm();

const size = (max: number) => fc.integer({ min: 1, max });

const geometry = fc
  .record({
    batch: size(3),
    height: size(7),
    width: size(7),
    inputs: size(3),
    filterHeight: size(3),
    filterWidth: size(3),
    outputs: size(3),
    strides: fc.tuple(size(3), size(3)),
    pad: fc.constantFrom('same' as const, 'valid' as const, 0, 1, 2),
    seed: fc.integer({ min: 0, max: 1000 }),
  })
  // Given padding as a number, TensorFlow.js works out both output sizes from the vertical filter size and stride.
  .map((g) => {
    const square = { filterWidth: g.filterHeight, strides: [g.strides[0], g.strides[0]] as [number, number] };
    return typeof g.pad === 'number' ? { ...g, ...square } : g;
  })
  // It takes no dimension of size 0.
  .filter(({ height, width, filterHeight, filterWidth, pad }) => {
    const padding = typeof pad === 'number' ? 2 * pad : 0;
    return pad === 'same' || (height + padding >= filterHeight && width + padding >= filterWidth);
  });

type Geometry = typeof geometry extends fc.Arbitrary<infer G> ? G : never;
type Shape4D = [number, number, number, number];

/** A kernel's input: its shape, and the seed of its values. */
type Input = [shape: Shape4D, seed: number];

/** Runs a kernel alone, on made-up inputs and output gradients: the convolution itself is not under test. */
function runKernel(name: string, inputs: Record<string, Input>, attributes: object): () => tf.Tensor {
  return () =>
    tf.tidy(() => {
      const tensors: tf.NamedTensorMap = {};
      for (const [key, [shape, seed]] of Object.entries(inputs)) {
        tensors[key] = tf.tensor4d(values(shape, seed), shape);
      }
      return tf.engine().runKernel<tf.Tensor>(name, tensors, { ...attributes });
    });
}

describe('gradients of convolutions on wasm', () => {
  it('are those of conv2d for every stride and padding', async () => {
    await fc.assert(
      fc.asyncProperty(geometry, async ({ strides, pad, seed, ...g }) => {
        const inputShape: Shape4D = [g.batch, g.height, g.width, g.inputs];
        const filterShape: Shape4D = [g.filterHeight, g.filterWidth, g.inputs, g.outputs];
        const { outShape } = tf.backend_util.computeConv2DInfo(inputShape, filterShape, strides, 1, pad);
        const attributes = { strides, pad, dataFormat: 'NHWC', filterShape };
        const inputs: Record<string, Input> = { x: [inputShape, seed], dy: [outShape, seed + 1] };
        await expectSameOnCpu(runKernel(tf.Conv2DBackpropFilter, inputs, attributes));
      }),
      { numRuns: 100 },
    );
  });

  it('are those of depthwiseConv2d for every stride and padding', async () => {
    await fc.assert(
      fc.asyncProperty(geometry, async (g) => {
        const { x, filter, dy, attributes } = depthwise(g, [1, 1]);
        await expectSameOnCpu(runKernel(tf.DepthwiseConv2dNativeBackpropFilter, { x, dy }, attributes));
        await expectSameOnCpu(runKernel(tf.DepthwiseConv2dNativeBackpropInput, { dy, filter }, attributes));
      }),
      { numRuns: 100 },
    );
  });

  // The cpu backend's gradients ignore dilations, but its convolution does not, and gradients are its adjoints.
  it('are adjoint to a dilated depthwiseConv2d', async () => {
    const dilated = geometry.filter((g) => g.pad === 'same');
    await fc.assert(
      fc.asyncProperty(dilated, size(3), size(3), async (g, height, width) => {
        const { x, filter, dy, attributes } = depthwise({ ...g, strides: [1, 1] }, [height, width]);
        const dFilter = await dataOn(
          'wasm',
          runKernel(tf.DepthwiseConv2dNativeBackpropFilter, { x, dy }, attributes),
        );
        const dx = await dataOn(
          'wasm',
          runKernel(tf.DepthwiseConv2dNativeBackpropInput, { dy, filter }, attributes),
        );
        const y = await dataOn('cpu', runKernel(tf.DepthwiseConv2dNative, { x, filter }, attributes));
        const expected = dot(y, values(...dy));
        const tolerance = 1e-5 * Math.max(1, y.length * 9);
        expect(Math.abs(dot(dFilter, values(...filter)) - expected)).toBeLessThan(tolerance);
        expect(Math.abs(dot(dx, values(...x)) - expected)).toBeLessThan(tolerance);
      }),
      { numRuns: 60 },
    );
  });
});

/** Inputs and attributes of a depthwise convolution and its gradients. */
function depthwise(g: Geometry, dilations: [number, number]) {
  const inputShape: Shape4D = [g.batch, g.height, g.width, g.inputs];
  const filterShape: Shape4D = [g.filterHeight, g.filterWidth, g.inputs, g.outputs];
  const { computeConv2DInfo } = tf.backend_util;
  const info = computeConv2DInfo(inputShape, filterShape, g.strides, dilations, g.pad, undefined, true);
  return {
    x: [inputShape, g.seed] as Input,
    filter: [filterShape, g.seed + 1] as Input,
    dy: [info.outShape, g.seed + 2] as Input,
    attributes: { strides: g.strides, dilations, pad: g.pad, inputShape, filterShape },
  };
}

async function dataOn(backend: string, compute: () => tf.Tensor): Promise<Float32Array> {
  await tf.setBackend(backend);
  const result = compute();
  const data = await result.data<'float32'>();
  result.dispose();
  return data;
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, index) => sum + value * b[index]!, 0);
}
