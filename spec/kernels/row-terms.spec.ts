import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { RowColumn, type RowTerm } from '../../kernels/row-terms';
import { beginRowWrite } from '../../kernels/write-rows';
import { temporaryDirectory } from '../support/temporary-directory';
import { describeOnProcessor } from './native-operations';

const file = path.join(temporaryDirectory(), 'rows');

const zeros = (...shape: number[]) => tf.zeros(shape);
const matrix = (rows: number, columns: number) => tf.zeros<tf.Rank.R2>([rows, columns]);

/** Rows of 4 numbers of 3 examples. */
function write(term: RowTerm): void {
  const descriptor = fs.openSync(file, 'w');
  const positions = Float64Array.of(0, 16, 32);
  const columns = [{ offset: 0, terms: [term] }];
  try {
    beginRowWrite({ file, descriptor, positions, columns, width: 4, factor: 1, after: [] }).outcome();
  } finally {
    fs.closeSync(descriptor);
  }
}

const factors = () => ({
  activations: zeros(3, 5),
  right: matrix(5, 2),
  biasRow: null,
  outputGradients: zeros(3, 6),
  left: matrix(6, 2),
  multiplier: 1,
});
const patches = () => ({
  ...factors(),
  image: tf.zeros<tf.Rank.R4>([3, 4, 4, 1]),
  window: {
    kernelSize: [2, 2] as [number, number],
    strides: [1, 1] as [number, number],
    dilations: [1, 1] as [number, number],
    padding: 'valid' as const,
  },
  right: matrix(4, 2),
  outputGradients: tf.zeros<tf.Rank.R4>([3, 3, 3, 6]),
});
const channels = () => ({
  outputGradients: zeros(3, 7, 2),
  values: zeros(3, 7, 2),
  center: zeros(2),
  variance: zeros(2),
  epsilon: 1,
  scale: true,
  shift: true,
  left: null,
  multiplier: 1,
});

describeOnProcessor('what rows are made of', () => {
  it('fits', () => {
    tf.tidy(() => {
      write({ kind: 'factors', factors: factors() });
      write({ kind: 'patches', patches: patches() });
      write({ kind: 'channels', channels: channels() });
      write({ kind: 'channels', channels: { ...channels(), left: matrix(4, 3) } });
    });
    expect(fs.statSync(file).size).toBe(48);
  });

  it.each<[string, () => RowTerm, RegExp]>([
    [
      'factors of other numbers of examples',
      () => ({ kind: 'factors', factors: { ...factors(), activations: zeros(2, 5) } }),
      /BergsonWriteRows: activations \[2, 5\] and output_gradients \[3, 6\] differ in examples/,
    ],
    [
      'a right side of other inputs',
      () => ({ kind: 'factors', factors: { ...factors(), right: matrix(4, 2) } }),
      /right \[4, 2\] and activations \[3, 5\] differ in inputs/,
    ],
    [
      'more numbers than a row has',
      () => ({ kind: 'factors', factors: { ...factors(), left: null } }),
      /activations \[3, 5\] projected from 0 on exceeds a row of 4/,
    ],
    [
      'fewer examples than rows',
      () => ({
        kind: 'channels',
        channels: { ...channels(), outputGradients: zeros(2, 2), values: zeros(2, 2) },
      }),
      /values \[2, 2\] by channel has not 3 examples/,
    ],
    [
      'more positions than patches',
      () => ({ kind: 'patches', patches: { ...patches(), outputGradients: tf.zeros([3, 9, 3, 6]) } }),
      /output_gradients \[3, 9, 3, 6\] has more positions than image \[3, 4, 4, 1\]/,
    ],
    [
      'a center of other channels',
      () => ({ kind: 'channels', channels: { ...channels(), center: zeros(3) } }),
      /center \[3\] and values \[3, 7, 2\] differ in channels/,
    ],
    [
      'a variance of other channels',
      () => ({ kind: 'channels', channels: { ...channels(), variance: zeros(1) } }),
      /variance \[1\] and values \[3, 7, 2\] differ in channels/,
    ],
    [
      'a left side of other channels',
      () => ({ kind: 'channels', channels: { ...channels(), scale: false, left: matrix(4, 2) } }),
      /left \[4, 2\] and values \[3, 7, 2\] differ in channels/,
    ],
  ])('is refused with %s', (_, term, message) => {
    expect(() => {
      tf.tidy(() => {
        write(term());
      });
    }).toThrow(message);
  });
});

it('stays as long as its column, as float32', () => {
  const before = tf.memory().numTensors;
  const column = new RowColumn();
  const kept = tf.tidy(() => column.keep(tf.tensor1d([1, 2], 'int32')));
  const gradients = tf.tidy(() => {
    const own = tf.tensor1d([3]);
    column.addGradients(own);
    return own;
  });
  expect([kept.dtype, ...kept.dataSync(), ...gradients.dataSync()]).toEqual(['float32', 1, 2, 3]);
  expect(column.bytes).toBe(8);
  column.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
