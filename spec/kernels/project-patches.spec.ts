import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import { projectPositionsPlainly } from '../../kernels/project-factors';
import {
  projectPatches,
  projectPatchesNatively,
  projectPatchesPlainly,
  type ProjectedPatches,
} from '../../kernels/project-patches';
import { relativeError, ROUNDING, sameBits } from '../support/closeness';
import { anySizes, asLinearMap, draw, EDGES, PLAIN, type Sizes } from './convolutions';
import { describeNative, eachDevice, nativeOperations } from './native-operations';

function errorOf(project: (patches: ProjectedPatches) => tf.Tensor3D, sizes: Sizes): number {
  return tf.tidy(() => {
    const patches = draw(sizes);
    const found = project(patches);
    const expected = projectPositionsPlainly(asLinearMap(patches));
    expect(found.shape).toEqual(expected.shape);
    return relativeError(found.dataSync<'float32'>(), expected.dataSync<'float32'>());
  });
}

/** tfjs's own convolution on wasm, which is the definition there, errs for oblong kernels with strides. */
function isWrongOnWasm({ kernel, strides }: Sizes): boolean {
  return tf.getBackend() === 'wasm' && kernel[0] !== kernel[1] && strides.some((stride) => stride > 1);
}

const natively = (patches: ProjectedPatches) => projectPatchesNatively(patches, nativeOperations());

describe('the projected gradients of a convolution', () => {
  it.each(EDGES)('are those of a linear map of its patches: %j', (sizes) => {
    if (isWrongOnWasm(sizes)) return;
    expect(errorOf(projectPatches, sizes)).toBeLessThan(ROUNDING);
    expect(errorOf(projectPatchesPlainly, sizes)).toBeLessThan(ROUNDING);
  });

  it('leave no tensor behind', () => {
    const before = tf.memory().numTensors;
    errorOf(projectPatches, PLAIN);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describeNative('the native projection of patches', () => {
  eachDevice('agrees with a linear map of the patches', () => {
    fc.assert(
      fc.property(anySizes, (sizes) => {
        expect(errorOf(natively, sizes)).toBeLessThan(ROUNDING);
      }),
      { numRuns: 60 },
    );
    for (const sizes of EDGES) expect(errorOf(natively, sizes)).toBeLessThan(ROUNDING);
  });

  it('gives the same bits each time', () => {
    tf.tidy(() => {
      const patches = draw(EDGES[3] ?? PLAIN);
      const bits = () => natively(patches).dataSync<'float32'>();
      const first = bits();
      for (let i = 0; i < 10; i++) expect(sameBits(bits(), first)).toBe(true);
    });
  });

  const zeros = tf.zeros as (shape: number[]) => tf.Tensor;
  it.each([
    ['right', [44, 16], /right \[44, 16\] and image \[3, 12, 12, 5\] differ in inputs/],
    ['right', [0, 0], /right is missing/],
    ['biasRow', [1, 5], /bias_row \[1, 5\] and right \[45, 16\] differ in columns/],
    ['left', [8, 3], /left \[8, 3\] and output_gradients \[3, 12, 12, 24\] differ in outputs/],
    ['image', [2, 12, 12, 5], /image \[2, 12, 12, 5\] and output_gradients \[3, .* differ in examples/],
    [
      'image',
      [3, 3, 3, 5],
      /output_gradients \[3, 12, 12, 24\] has more positions than image \[3, 3, 3, 5\]/,
    ],
    ['outputGradients', [3, 144, 24], /output_gradients \[3, 144, 24\] is not of rank 4/],
  ] as const)('refuses %s of shape %j', (name, shape, message) => {
    const failing = () => tf.tidy(() => natively({ ...draw(PLAIN), [name]: zeros([...shape]) }));
    expect(failing).toThrow(message);
    expect(failing).toThrow('BergsonProjectPatches');
  });

  it.each([
    [3, 3, 1, 1, 1, 1, 3, 0],
    [3, 3, 0, 1, 1, 1, 1, 1],
    [-3, 3, 1, 1, 1, 1, 1, 1],
    [3, 3, 1, 1, 1, 1],
  ])('refuses the window %#', (...value) => {
    const backend = nativeOperations();
    const { TF_ATTR_INT, TF_ATTR_FLOAT } = backend.binding;
    const attributes = [
      { name: 'window', type: TF_ATTR_INT, value },
      { name: 'multiplier', type: TF_ATTR_FLOAT, value: 1 },
    ];
    expect(() =>
      tf.tidy(() => {
        const { image, right, outputGradients } = draw(PLAIN);
        const nothing = tf.zeros([0, 0]);
        const inputs = [image, right, nothing, outputGradients, nothing];
        return backend.executeSingleOutput('BergsonProjectPatches', attributes, inputs);
      }),
    ).toThrow(/window/);
  });
});
