import tf = require('@tensorflow/tfjs');
import { randomColumns, randomColumnsNatively } from '../../kernels/random-columns';
import { drawColumns, type RandomMatrixKey } from '../../kernels/random-matrix';
import { emulatedDriver } from '../../scripts/mutate/emulator';
import { relativeError, ROUNDING } from '../support/closeness';
import { describeOnProcessor, nativeOperations, withCuda } from './native-operations';

const COLUMNS = [0, 1, 2, 3, 6, 123_456, 2_147_483_647];
const WORDS = [0, 7, 0x80000001, 0xffffffff];

function natively(key: RandomMatrixKey, rows: number, columns: number[]): Float32Array {
  return withCuda(emulatedDriver(), () =>
    tf.tidy(() => {
      const drawn = randomColumnsNatively(key, rows, tf.tensor1d(columns, 'int32'), nativeOperations());
      expect(drawn.shape).toEqual([columns.length, rows]);
      return drawn.dataSync<'float32'>();
    }),
  );
}

function keys(type: RandomMatrixKey['type']): RandomMatrixKey[] {
  return WORDS.flatMap((seed, i) =>
    ([0, 1] as const).map((side) => ({
      ...{ type, seed, side },
      stream: [WORDS[(i + 1) % 4] ?? 0, WORDS[(i + 2) % 4] ?? 0] as const,
    })),
  );
}

it('columns of a tensor of ids are those of the ids', () => {
  const [key] = keys('rademacher');
  const drawn = tf.tidy(() => randomColumns(key!, 5, tf.tensor1d([6, 3], 'int32')).dataSync());
  expect([...drawn]).toEqual([...drawColumns(key!, 5, [6, 3])]);
});

describeOnProcessor('columns drawn by the CUDA kernel', () => {
  it.each(keys('rademacher'))('are those of the definition: %j', (key) => {
    for (const rows of [1, 16, 33, 70]) {
      expect(natively(key, rows, COLUMNS)).toEqual(drawColumns(key, rows, COLUMNS));
    }
  });

  it.each(keys('normal'))('are those of the definition to rounding: %j', (key) => {
    for (const rows of [1, 2, 3, 16, 35]) {
      const expected = drawColumns(key, rows, COLUMNS);
      expect(relativeError(natively(key, rows, COLUMNS), expected)).toBeLessThan(ROUNDING);
    }
  });

  it('are made of the words published for Philox4x32-10', () => {
    const key = { type: 'rademacher', seed: 0, stream: [0, 0], side: 0 } as const;
    const drawn = natively(key, 32, [0, 1, 2, 3]);
    const words = [0, 1, 2, 3].map((column) =>
      drawn
        .subarray(32 * column, 32 * column + 32)
        .reduce((sum, sign, bit) => sum + (sign > 0 ? 2 ** bit : 0), 0),
    );
    expect(words).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  });

  it('refuse ids of another rank, and the processor', () => {
    const [key] = keys('normal');
    const zeros = tf.zeros as (shape: number[], dtype: 'int32') => tf.Tensor;
    const ids = (shape: number[]) => zeros(shape, 'int32') as tf.Tensor1D;
    const draw = (shape: number[], rows = 2) =>
      tf.tidy(() => randomColumnsNatively(key!, rows, ids(shape), nativeOperations()));
    expect(() => withCuda(emulatedDriver(), () => draw([2, 2]))).toThrow(
      'BergsonDrawColumns: columns [2, 2] is not of rank 1',
    );
    expect(() => draw([2])).toThrow('BergsonDrawColumns: is for tensors on a GPU');
    expect(() => draw([2], 0)).toThrow('a matrix has at least one row');
  });
});
