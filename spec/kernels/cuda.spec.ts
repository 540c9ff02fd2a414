/** What the specs of the single operations leave of CUDA: its errors, its memory, and what only large tensors reach. */
import tf = require('@tensorflow/tfjs');
import { nativeAddon } from '../../kernels/native';
import { projectPositionsNatively } from '../../kernels/project-factors';
import { projectNormalizedNatively } from '../../kernels/project-normalized';
import { sumProductsNatively } from '../../kernels/sum-products';
import { allCases, errorOf, RANDOM_CASES } from '../../scripts/verify-gpu/cases';
import { relativeError, ROUNDING } from '../support/closeness';
import { randomNormal } from '../support/random-tensor';
import { emulatedDriver, failingDriver, oldDriver } from '../../scripts/mutate/emulator';
import { describeOnProcessor, nativeOperations, withCuda } from './native-operations';

const normal = <R extends tf.Rank>(shape: tf.ShapeMap[R], seed = 1) => randomNormal<R>(shape, seed);

function project(): tf.Tensor {
  return projectPositionsNatively(
    {
      activations: normal<tf.Rank.R3>([2, 5, 6]),
      right: normal<tf.Rank.R2>([6, 4]),
      biasRow: null,
      outputGradients: normal<tf.Rank.R3>([2, 5, 7]),
      left: normal<tf.Rank.R2>([7, 3]),
      multiplier: 1,
    },
    nativeOperations(),
  );
}

describeOnProcessor('the CUDA kernels', () => {
  it('say that there is no driver', () => {
    const attempt = () => {
      withCuda('/nowhere/libcuda.so', project);
    };
    expect(attempt).toThrow(/the CUDA driver does not load: .*\/nowhere\/libcuda\.so/);
  });

  it('say that a driver finds no GPU', () => {
    const attempt = () => {
      withCuda(failingDriver('cuInit'), project);
    };
    expect(attempt).toThrow('cuInit fails with CUDA_ERROR_INVALID_VALUE (invalid argument)');
  });

  it.each([
    ['cuDevicePrimaryCtxRetain', 'cuDevicePrimaryCtxRetain fails with CUDA_ERROR_INVALID_VALUE'],
    ['cuModuleLoadDataEx', 'cuModuleLoadDataEx fails with CUDA_ERROR_INVALID_PTX'],
    ['cuMemAlloc', 'cuMemAlloc fails with CUDA_ERROR_OUT_OF_MEMORY'],
    ['cuEventCreate', 'cuEventCreate fails with CUDA_ERROR_OUT_OF_MEMORY'],
    ['cuCtxRecordEvent', 'cuCtxRecordEvent fails with CUDA_ERROR_INVALID_VALUE'],
    ['cuLaunchKernel', 'cuLaunchKernel of project_rows_16 fails with CUDA_ERROR_ILLEGAL_ADDRESS'],
  ])("make an error in %s the operation's", (failing, message) => {
    const attempt = () => withCuda(failingDriver(failing), () => tf.tidy(project));
    expect(attempt).toThrow(`BergsonProjectFactors: ${message}`);
    tf.dispose(withCuda(emulatedDriver(), () => tf.tidy(project)));
  });

  it('are waited for where the driver has no events', () => {
    const run = (driver: string) => withCuda(driver, () => tf.tidy(() => project().dataSync()));
    expect(run(oldDriver())).toEqual(run(emulatedDriver()));
    expect(() => run(failingDriver('cuCtxSynchronize', oldDriver()))).toThrow(
      'BergsonProjectFactors: cuCtxSynchronize fails with CUDA_ERROR_LAUNCH_FAILED',
    );
  });

  it('are not served by the CUDA driver of a machine that has none', () => {
    const addon = nativeAddon();
    if (typeof addon === 'string') throw new Error(addon);
    expect(['', 'the CUDA driver does not load']).toContain(addon.cudaProblem().split(':')[0]);
  });

  it("refuse wrong shapes as the processor's do", () => {
    const shapes = () => {
      const wrong = { outputGradients: normal([2, 4, 3]), values: normal([2, 5, 3]), center: null };
      tf.tidy(() => sumProductsNatively(wrong, nativeOperations()));
    };
    expect(() => {
      withCuda(emulatedDriver(), shapes);
    }).toThrow('BergsonSumProducts: output_gradients [2, 4, 3] and values [2, 5, 3] differ in positions');
  });

  it('agree with the plain operations over the shapes that verify:gpu takes', () => {
    withCuda(emulatedDriver(), () => {
      for (const one of allCases(RANDOM_CASES)) {
        expect({ ...one, error: errorOf(one, nativeOperations()) < ROUNDING }).toEqual({
          ...one,
          error: true,
        });
      }
    });
  });

  it('give the same bits each time', () => {
    tf.tidy(() => {
      const run = () => withCuda(emulatedDriver(), project).dataSync();
      const first = run();
      for (let i = 0; i < 5; i++) expect(run()).toEqual(first);
    });
  });

  it('normalize a few examples at a time where half-projected gradients are large', () => {
    tf.tidy(() => {
      const outputs = 40_000;
      const factors = {
        activations: normal<tf.Rank.R3>([3, 1, 70], 1),
        right: normal<tf.Rank.R2>([70, 64], 2),
        biasRow: null,
        outputGradients: normal<tf.Rank.R3>([3, 1, outputs], 3),
        left: normal<tf.Rank.R2>([outputs, 2], 4),
        multiplier: 2,
      };
      const kernel = normal([70, outputs], 5).square();
      const moments = { kernel, bias: null, correction: 2, epsilon: 0.1 };
      const run = () => projectNormalizedNatively(factors, moments, nativeOperations()).dataSync<'float32'>();
      expect(relativeError(withCuda(emulatedDriver(), run), run())).toBeLessThan(ROUNDING);
    });
  });
});
