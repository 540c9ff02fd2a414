import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Packr } from 'msgpackr';
import { CorruptRecordError, UnsupportedVersionError } from '../../lib/errors';
import { readRecord, writeRecord } from '../../lib/store/record-file';

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'record-'));
const file = path.join(directory, 'a.msgpack');
const kind = { kind: 'thing', version: 2 };
afterAll(() => {
  fs.rmSync(directory, { recursive: true });
});

test('reads back its payload, typed arrays included', () => {
  const payload = { text: 'é', list: [1, 2.5, null], norms: Float32Array.of(1, 2), ids: Int32Array.of(-3) };
  writeRecord(file, kind, payload);
  expect(readRecord(file, kind)).toEqual({ version: 2, payload });
  expect(fs.readdirSync(directory)).toEqual(['a.msgpack']);
});

test('reads records of older versions and says which', () => {
  writeRecord(file, { kind: 'thing', version: 1 }, 'old');
  expect(readRecord(file, kind)).toEqual({ version: 1, payload: 'old' });
});

test('names both versions of a record from a newer release', () => {
  writeRecord(file, { kind: 'thing', version: 3 }, 'new');
  expect(() => readRecord(file, kind)).toThrow(UnsupportedVersionError);
  expect(() => readRecord(file, kind)).toThrow(/version 3.*up to 2/);
});

test('refuses a record of another kind', () => {
  writeRecord(file, { kind: 'other', version: 1 }, 1);
  expect(() => readRecord(file, kind)).toThrow(/kind thing, found other/);
});

test('no single changed bit goes unnoticed', () => {
  writeRecord(file, kind, { text: 'payload', number: 7 });
  const whole = fs.readFileSync(file);
  const seen: unknown[] = [];
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const bytes = Buffer.from(whole);
    bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    fs.writeFileSync(file, bytes);
    try {
      seen.push(readRecord(file, kind).payload);
    } catch (error) {
      const known = error instanceof CorruptRecordError || error instanceof UnsupportedVersionError;
      if (!known) throw error;
    }
  }
  // The version itself is outside the checksum: 2 may turn into 1 or 0x82... but never the payload.
  for (const payload of seen) expect(payload).toEqual({ text: 'payload', number: 7 });
});

test.each([0, 1, 10, 40])('refuses a record cut after %d bytes', (length) => {
  writeRecord(file, kind, { a: 1 });
  fs.truncateSync(file, length);
  expect(() => readRecord(file, kind)).toThrow(CorruptRecordError);
});

test('is plain msgpack: a reader that knows nothing of this package finds the payload', () => {
  writeRecord(file, kind, { a: 1 });
  const plain = new Packr({ useRecords: false });
  const envelope = plain.unpack(fs.readFileSync(file)) as { payload: Buffer };
  expect(plain.unpack(envelope.payload)).toEqual({ a: 1 });
});
