import tf = require('@tensorflow/tfjs');
import { awaitBackground, inBackground } from '../../kernels/background';
import { projectPositions, type ProjectedFactors } from '../../kernels/project-factors';
import { projectPatches, type ProjectedPatches } from '../../kernels/project-patches';
import { projectNormalized, type KernelMoments } from '../../kernels/project-normalized';
import { sameBits } from '../support/closeness';
import { until } from '../support/until';
import { describeOnProcessor } from './native-operations';

type Shape = [number, number, number, number];

const random = (shape: number[], seed: number) => tf.randomUniform(shape, -1, 1, 'float32', seed);

/** Large enough that several are not done before the next line of JavaScript runs. */
function makeFactors(): ProjectedFactors {
  return {
    activations: random([8, 200, 100], 1),
    right: random([100, 64], 2) as tf.Tensor2D,
    biasRow: random([1, 64], 3) as tf.Tensor2D,
    outputGradients: random([8, 200, 100], 4),
    left: random([100, 64], 5) as tf.Tensor2D,
    multiplier: 8,
  };
}

function makePatches(): ProjectedPatches {
  return {
    image: random([6, 20, 20, 8], 1) as tf.Tensor4D,
    window: { kernelSize: [3, 3], strides: [1, 1], dilations: [1, 1], padding: 'same' },
    right: random([72, 16], 2) as tf.Tensor2D,
    biasRow: null,
    outputGradients: random([6, 20, 20, 40], 4) as tf.Tensor4D,
    left: random([40, 16], 5) as tf.Tensor2D,
    multiplier: 6,
  };
}

let factors: ProjectedFactors;
let patches: ProjectedPatches;
let moments: KernelMoments;
beforeAll(() => {
  moments = tf.tidy(() => ({
    kernel: tf.keep(random([100, 100], 6).square()),
    bias: tf.keep(random([100], 7).square()),
    correction: 2,
    epsilon: 1,
  }));
  factors = makeFactors();
  patches = makePatches();
});
afterAll(() => {
  tf.dispose([factors, patches, moments] as unknown as tf.TensorContainer);
});

const project = {
  'linear maps': () => projectPositions(factors),
  convolutions: () => projectPatches(patches),
  'normalised linear maps': () => projectNormalized(factors, { matrix: () => tf.ones([100, 101]), moments }),
};

describeOnProcessor('projections in the background', () => {
  it.each(Object.entries(project))('of %s have the bits of those at once', (_, call) => {
    const expected = tf.tidy(() => call().dataSync<'float32'>());
    const found = tf.tidy(() => {
      const later = inBackground(call);
      awaitBackground();
      return later.dataSync<'float32'>();
    });
    expect(sameBits(found, expected)).toBe(true);
  });

  it('read inputs that were disposed and whose memory others want', () => {
    const expected = tf.tidy(() => project['linear maps']().dataSync<'float32'>());
    const several = Array.from({ length: 8 }, () =>
      tf.tidy(() => {
        const activations = factors.activations.mul(1);
        return inBackground(() => projectPositions({ ...factors, activations }));
      }),
    );
    for (let i = 0; i < 8; i++) tf.tidy(() => factors.activations.mul(NaN));
    awaitBackground();
    for (const each of several) expect(sameBits(each.dataSync<'float32'>(), expected)).toBe(true);
    tf.dispose(several);
  });

  it('leave it to this thread to free inputs that are memory of its own', () => {
    // On another one, which V8 does not expect, these ended the process in three runs of four.
    // A thread begins when there are 8 million multiplications to do: here, some two hundred times.
    const sides = { right: random([64, 16], 1) as tf.Tensor2D, left: random([64, 16], 2) as tf.Tensor2D };
    for (let i = 0; i < 20_000; i++) {
      tf.tidy(() => {
        const [activations, outputGradients] = [0, 1].map(() =>
          tf.tensor2d(new Float32Array(2048), [32, 64]),
        );
        const factors = { activations, outputGradients, ...sides, biasRow: null, multiplier: 1 };
        inBackground(() => projectPositions(factors as ProjectedFactors));
        for (let other = 0; other < 4; other++) tf.square(tf.tensor1d(new Float32Array(16)));
      });
      if (i % 200 === 0) awaitBackground();
    }
    awaitBackground();
    tf.dispose(Object.values(sides));
  });

  it('are not numbers to whoever does not wait', () => {
    const several = Array.from({ length: 40 }, () => inBackground(project['linear maps']));
    expect(several.at(-1)?.dataSync()[0]).toBeNaN();
    awaitBackground();
    expect(several.at(-1)?.dataSync()[0]).not.toBeNaN();
    tf.dispose(several);
  });

  it('go on without being awaited once there is work worth a thread', async () => {
    const several = Array.from({ length: 40 }, () => inBackground(project['linear maps']));
    const [first] = several;
    await until(() => !Number.isNaN(first?.dataSync()[0]));
    expect(first?.dataSync()[0]).not.toBeNaN();
    awaitBackground();
    tf.dispose(several);
  });

  it.each<[string, Shape, Shape]>([
    ['examples', [0, 20, 20, 8], [0, 20, 20, 40]],
    ['positions', [6, 20, 0, 8], [6, 20, 0, 40]],
  ])('of no %s are zero, if there are any', (_, image, outputs) => {
    const empty = {
      ...patches,
      image: tf.zeros<tf.Rank.R4>(image),
      outputGradients: tf.zeros<tf.Rank.R4>(outputs),
    };
    const maps = { ...factors, activations: tf.zeros([...image.slice(0, 3), 100]) };
    const linear = { ...maps, outputGradients: tf.zeros([...outputs.slice(0, 3), 100]) };
    const projected = tf.tidy(() =>
      inBackground(() => [
        projectPatches(empty),
        projectPositions(linear),
        projectNormalized(linear, { matrix: () => tf.ones([100, 101]), moments }),
      ]),
    );
    awaitBackground();
    for (const each of projected) expect(each.dataSync().every((value) => value === 0)).toBe(true);
    tf.dispose([projected, empty.image, empty.outputGradients, linear.activations, linear.outputGradients]);
  });

  it('refuse at once what does not fit', () => {
    const wrong = () => projectPositions({ ...factors, activations: random([7, 200, 100], 1) });
    expect(() => tf.tidy(() => inBackground(wrong))).toThrow(/differ in examples/);
  });

  it('are wanted only while `inBackground` runs', () => {
    expect(() =>
      inBackground(() => {
        throw new Error('stop');
      }),
    ).toThrow('stop');
    const several = Array.from({ length: 40 }, project['linear maps']);
    expect(several.at(-1)?.dataSync()[0]).not.toBeNaN();
    tf.dispose(several);
  });
});
