import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { inBackground } from '../../kernels/background';
import { projectPositions } from '../../kernels/project-factors';
import { beginRowWrite, type FileWrite, type RowOutcome, type RowWrite } from '../../kernels/write-rows';
import { temporaryDirectory } from '../support/temporary-directory';
import { until } from '../support/until';
import { describeOnProcessor } from './native-operations';

const directory = temporaryDirectory();
const file = path.join(directory, 'rows');
const log = path.join(directory, 'log');
const WIDTH = 5;
const ROW_BYTES = 4 * WIDTH;

let descriptor: number;
let logDescriptor: number;
beforeEach(() => {
  fs.writeFileSync(file, Buffer.alloc(4 * ROW_BYTES, 0xff));
  descriptor = fs.openSync(file, 'r+');
  logDescriptor = fs.openSync(log, 'w');
});
afterEach(() => {
  fs.closeSync(descriptor);
  fs.closeSync(logDescriptor);
});

const record = (text: string, position: number): FileWrite => ({
  file: log,
  descriptor: logDescriptor,
  position,
  bytes: Buffer.from(text),
});

/** The outcome for columns [3, 2] and [3, 1, 1], the second of which begins a row's last number but one. */
function write(values: { first: number[]; second: number[] }, options: Partial<RowWrite> = {}): RowOutcome {
  const columns = [
    columnOf(tf.tensor2d(values.first, [3, 2]), 0),
    columnOf(tf.tensor3d(values.second, [3, 1, 1]), 3),
  ];
  const positions = Float64Array.of(2 * ROW_BYTES, -1, 0);
  const given = { file, descriptor, positions, columns, width: WIDTH, factor: 1, after: [], ...options };
  try {
    return beginRowWrite(given).outcome();
  } finally {
    for (const { gradients } of columns) gradients.dispose();
  }
}

function columnOf(gradients: tf.Tensor, offset: number) {
  return { gradients, offset, terms: [{ kind: 'gradients', gradients } as const] };
}

const values = { first: [1, 2, 3, 4, 5, 6], second: [7, 8, 9] };
const rows = () => Array.from({ length: 4 }, (_, row) => [...rowOf(row)]);
const rowOf = (row: number) =>
  new Float32Array(Uint8Array.from(fs.readFileSync(file)).buffer).subarray(row * WIDTH, (row + 1) * WIDTH);
const untouched = Array<number>(WIDTH).fill(NaN);

describeOnProcessor('rows that the addon writes', () => {
  it('lie where they are to, side by side, multiplied, and zero where there is no gradient', () => {
    expect(write(values, { factor: 0.5 })).toEqual({ kind: 'written' });
    expect(rows()).toEqual([[2.5, 3, 0, 4.5, 0], untouched, [0.5, 1, 0, 3.5, 0], untouched]);
  });

  it('are written in one stretch where they follow each other', () => {
    const positions = Float64Array.of(ROW_BYTES, 2 * ROW_BYTES, 3 * ROW_BYTES);
    expect(write(values, { positions })).toEqual({ kind: 'written' });
    expect(rows()).toEqual([untouched, [1, 2, 0, 7, 0], [3, 4, 0, 8, 0], [5, 6, 0, 9, 0]]);
  });

  it('come before what is to be written after them, in its order', () => {
    expect(write(values, { after: [record('first', 0), record('last', 3)] })).toEqual({ kind: 'written' });
    expect(fs.readFileSync(log, 'utf8')).toBe('firlast');
  });

  it.each([NaN, Infinity, -Infinity])('are none at all if a number is %d, whose place is known', (bad) => {
    const second = [7, 8, bad];
    const after = [record('never', 0)];
    expect(write({ ...values, second }, { after })).toEqual({ kind: 'not finite', index: 13, value: bad });
    expect(rows()).toEqual([untouched, untouched, untouched, untouched]);
    expect(fs.readFileSync(log, 'utf8')).toBe('');
  });

  it('name the file that the system does not let them into, and leave out what comes after', () => {
    const readOnly = fs.openSync(file, 'r');
    const after = [record('never', 0)];
    const failed = { kind: 'failed', code: 'EBADF' };
    expect(write(values, { descriptor: readOnly, after })).toEqual({ ...failed, file, bytes: 3 * ROW_BYTES });
    expect(fs.readFileSync(log, 'utf8')).toBe('');
    const broken = { ...record('four', 0), descriptor: readOnly };
    expect(write(values, { after: [record('whole', 0), broken, ...after] })).toEqual({
      ...failed,
      file: log,
      bytes: 4,
    });
    expect(fs.readFileSync(log, 'utf8')).toBe('whole');
    fs.closeSync(readOnly);
  });

  it('are of projections that are still to come, whose tensors are gone', () => {
    const random = (shape: number[], seed: number) => tf.randomUniform(shape, -1, 1, 'float32', seed);
    const [columns, expected] = tf.tidy(() => {
      const factors = {
        activations: random([3, 300, 200], 1),
        right: random([200, 16], 2) as tf.Tensor2D,
        biasRow: null,
        outputGradients: random([3, 300, 100], 3),
        left: random([100, 16], 4) as tf.Tensor2D,
        multiplier: 1,
      };
      const gradients = tf.keep(inBackground(() => projectPositions(factors)));
      return [[columnOf(gradients, 0)], projectPositions(factors).dataSync<'float32'>()];
    });
    const positions = Float64Array.of(0, 1024, 2048);
    const begun = beginRowWrite({ file, descriptor, positions, columns, width: 256, factor: 1, after: [] });
    for (const { gradients } of columns) gradients.dispose();
    expect(begun.outcome()).toEqual({ kind: 'written' });
    expect(new Float32Array(Uint8Array.from(fs.readFileSync(file)).buffer)).toEqual(expected);
  });

  it('are written before anyone asks for the outcome', async () => {
    const columns = [columnOf(tf.ones([3, WIDTH]), 0)];
    const positions = Float64Array.of(0, ROW_BYTES, 2 * ROW_BYTES);
    const after = [record('done', 0)];
    const begun = beginRowWrite({ file, descriptor, positions, columns, width: WIDTH, factor: 1, after });
    await until(() => fs.statSync(log).size > 0);
    expect(rowOf(2)[0]).toBe(1);
    expect(begun.outcome()).toEqual({ kind: 'written' });
    for (const { gradients } of columns) gradients.dispose();
  });

  it.each([
    ['examples', { positions: Float64Array.of(0) }, /gradients \[3, 2\] has not 1 examples/],
    ['width', { width: 3 }, /gradients \[3, 1, 1\] from 3 on exceeds a row of 3/],
  ])('are refused if their %s does not fit', (_, wrong, message) => {
    expect(() => write(values, wrong)).toThrow(message);
    expect(rows()).toEqual([untouched, untouched, untouched, untouched]);
  });
});
