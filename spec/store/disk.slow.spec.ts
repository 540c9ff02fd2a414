import fs from 'node:fs';
import path from 'node:path';
import { readFully, writeFully } from '../../lib/store/disk';
import { temporaryDirectory } from '../support/temporary-directory';

const file = path.join(temporaryDirectory(), 'large');
const TWO_GIB = 2 ** 31;

it('reads and writes 2 GiB and more, which Node refuses in one call', () => {
  const bytes = new Uint8Array(TWO_GIB + 8);
  bytes.set([1, 2, 3, 4], TWO_GIB - 2);
  bytes.set([5, 6], bytes.length - 2);
  const descriptor = fs.openSync(file, 'w+');
  expect(() => fs.writeSync(descriptor, bytes)).toThrow(/out of range/);
  writeFully(descriptor, file, bytes, 1);
  expect(fs.fstatSync(descriptor).size).toBe(bytes.length + 1);
  bytes.fill(9);
  expect(readFully(descriptor, bytes, 1)).toBe(bytes.length);
  fs.closeSync(descriptor);
  expect(bytes.subarray(TWO_GIB - 4)).toEqual(Uint8Array.of(0, 0, 1, 2, 3, 4, 0, 0, 0, 0, 5, 6));
  expect(bytes.indexOf(9)).toBe(-1);
});
