import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { RowColumn } from '../../kernels/row-terms';
import * as errors from '../../lib/errors';
import { GradientStoreReader } from '../../lib/store/reader';
import { GradientStoreWriter } from '../../lib/store/writer';
import { describeOnProcessor } from '../kernels/native-operations';
import { temporaryDirectory } from '../support/temporary-directory';

const root = temporaryDirectory();
const columns = [
  { layer: 'conv', width: 2 },
  { layer: 'dense', width: 1 },
];

let stores = 0;
let writer: GradientStoreWriter;
beforeEach(() => {
  const directory = path.join(root, `store_${stores++}`);
  writer = GradientStoreWriter.create(directory, { rows: 4, dtype: 'float32', columns });
});

/** Begins to write `values` [n, 2] as the first column. */
function begin(examples: number[], values: number[]) {
  const column = new RowColumn();
  column.addGradients(tf.tensor2d(values, [values.length / 2, 2]));
  try {
    return writer.beginWrite(Int32Array.from(examples), new Map([['conv', column]]), 2, []);
  } finally {
    column.dispose();
  }
}

describeOnProcessor('rows that are begun', () => {
  it('are multiplied, zero in other columns, and the last of an example’s own', async () => {
    begin([3, 1, 3], [1, 2, 3, 4, 5, 6]).settle();
    expect(writer.rewritten).toBe(1);
    await writer.close();
    const reader = GradientStoreReader.open(writer.directory);
    expect([1, 3].map((row) => [...reader.row(row)])).toEqual([
      [6, 8, 0],
      [10, 12, 0],
    ]);
    expect(() => reader.row(0)).toThrow(errors.RowNotWrittenError);
    reader.close();
  });

  it('are not written, nor thought to be, where they are refused', () => {
    expect(() => begin([0, 1, 2], [1, 2, 3, 4])).toThrow(/gradients \[2, 2\] has not 3 examples/);
    expect([0, 1, 2].map((example) => writer.isWritten(example))).toEqual([false, false, false]);
    expect(() => begin([4], [1, 2])).toThrow(errors.ExampleRangeError);
    expect(writer.rowsWritten).toBe(0);
    writer.abort();
  });

  it('are not where a number is not finite, which is named by layer and example', () => {
    begin([2], [1, 2]).settle();
    const begun = begin([2, 0], [1, 2, Infinity, 4]);
    expect(() => {
      begun.settle();
    }).toThrow(new errors.NonFiniteValueError('the gradient', Infinity, 'conv', 0));
    expect([0, 2].map((example) => writer.isWritten(example))).toEqual([false, false]);
    writer.abort();
  });
});
