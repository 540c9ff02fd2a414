import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { InvalidSafetensorsError } from '../../lib/errors';
import { SafetensorsFile, writeSafetensors } from '../../lib/store/safetensors';

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'safetensors-'));
const file = path.join(directory, 'tensors.safetensors');
afterAll(() => {
  fs.rmSync(directory, { recursive: true });
});

/** A file with the given header text and data, as another program might write it. */
function writeRaw(header: string, data = Buffer.alloc(0)): void {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  fs.writeFileSync(file, Buffer.concat([length, Buffer.from(header), data]));
}

test('reads back what was written, of every width, with its metadata', () => {
  const tensors = {
    bytes: { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 255) },
    matrix: { dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, -2, 3.5, NaN) },
    halves: { dtype: 'F16', shape: [1], data: Uint16Array.of(0x3c00) },
    ids: { dtype: 'I32', shape: [2], data: Int32Array.of(-1, 7) },
    long: { dtype: 'I64', shape: [1], data: BigInt64Array.of(-5n) },
    scalar: { dtype: 'F64', shape: [], data: Float64Array.of(Math.PI) },
    empty: { dtype: 'F32', shape: [0, 4], data: new Float32Array(0) },
  } as const;
  writeSafetensors(file, tensors, { made: 'here' });
  const opened = SafetensorsFile.open(file);
  expect(opened.metadata).toEqual({ made: 'here' });
  expect([...opened.entries.keys()].sort()).toEqual(Object.keys(tensors).sort());
  for (const [name, tensor] of Object.entries(tensors)) expect(opened.read(name)).toEqual(tensor);
  opened.close();
  expect(fs.readdirSync(directory)).toEqual(['tensors.safetensors']);
});

test('reads tensors at unaligned offsets', () => {
  const data = Buffer.alloc(5);
  data.writeFloatLE(1.5, 1);
  writeRaw(
    '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}',
    data,
  );
  const opened = SafetensorsFile.open(file);
  expect(opened.read('b').data).toEqual(Float32Array.of(1.5));
  opened.close();
});

test.each([
  [
    'a header longer than the file',
    () => {
      fs.writeFileSync(file, Buffer.from([255, 0, 0, 0, 0, 0, 0, 0, 123]));
    },
  ],
  [
    'a file of three bytes',
    () => {
      fs.writeFileSync(file, 'abc');
    },
  ],
  [
    'a header that is not JSON',
    () => {
      writeRaw('{"a":');
    },
  ],
  [
    'a header that is a list',
    () => {
      writeRaw('[]');
    },
  ],
  [
    'an unknown dtype',
    () => {
      writeRaw('{"a":{"dtype":"F8","shape":[0],"data_offsets":[0,0]}}');
    },
  ],
  [
    'offsets that disagree with the shape',
    () => {
      writeRaw('{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,1]}}', Buffer.alloc(2));
    },
  ],
  [
    'offsets beyond the file',
    () => {
      writeRaw('{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}', Buffer.alloc(1));
    },
  ],
  [
    'a negative size',
    () => {
      writeRaw('{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,-1]}}');
    },
  ],
])('refuses %s', (_, damage) => {
  damage();
  expect(() => SafetensorsFile.open(file)).toThrow(InvalidSafetensorsError);
});

test('refuses data that does not fit its dtype or shape', () => {
  const data = Float32Array.of(1, 2);
  expect(() => {
    writeSafetensors(file, { a: { dtype: 'I32', shape: [2], data } });
  }).toThrow(InvalidSafetensorsError);
  expect(() => {
    writeSafetensors(file, { a: { dtype: 'F32', shape: [3], data } });
  }).toThrow(InvalidSafetensorsError);
});
