import fs from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { ClosedError, CorruptRecordError, DiskWriteError } from '../../lib/errors';
import { TrainingOrderReader, TrainingOrderWriter, type TrainingBatch } from '../../lib/store/training-order';
import { temporaryDirectory } from '../support/temporary-directory';

const file = path.join(temporaryDirectory(), 'training_order.log');

const RATE = { learningRate: 1e-3, lossWeight: 0.5 };

const batches: TrainingBatch[] = [
  { step: 0, epoch: 0, examples: Int32Array.of(3, 1, 2), learningRate: 0.1, lossWeight: 1 / 3 },
  { step: 1, epoch: 0, examples: Int32Array.of(0), learningRate: null, lossWeight: 1 },
  { step: 2, epoch: 1, examples: Int32Array.of(), ...RATE },
  { step: 3, epoch: 1, examples: Int32Array.of(1, 1, 2_000_000_000), ...RATE },
];

function write(all = batches): void {
  const writer = TrainingOrderWriter.create(file);
  for (const batch of all) writer.append(batch);
  writer.close();
}

test('reads back every batch, as often as asked', () => {
  write();
  const reader = TrainingOrderReader.open(file);
  expect([...reader.batches()]).toEqual(batches);
  expect([...reader.batches()]).toEqual(batches);
  expect(reader).toMatchObject({ count: 4, tornBytes: 0 });
});

test('says when each example was trained on', () => {
  write();
  const sightings = TrainingOrderReader.open(file).sightings([1, 0, 77]);
  expect([...sightings]).toEqual([
    [
      1,
      [
        { step: 0, epoch: 0 },
        { step: 3, epoch: 1 },
        { step: 3, epoch: 1 },
      ],
    ],
    [0, [{ step: 1, epoch: 0 }]],
    [77, []],
  ]);
});

test('is readable at every step without being closed', () => {
  const writer = TrainingOrderWriter.create(file);
  batches.forEach((batch, i) => {
    writer.append(batch);
    expect(TrainingOrderReader.open(file).count).toBe(i + 1);
  });
  writer.close();
  expect(() => {
    writer.append({ step: 4, epoch: 1, examples: Int32Array.of(1), ...RATE });
  }).toThrow(ClosedError);
});

test('drops and reports a tail torn at any byte, and can be continued there', () => {
  write();
  const whole = fs.readFileSync(file);
  const ends = [...batches.keys()].map((count) => {
    write(batches.slice(0, count));
    return fs.statSync(file).size;
  });
  for (let length = ends[0] ?? 0; length < whole.length; length++) {
    fs.writeFileSync(file, whole.subarray(0, length));
    const count = ends.filter((end) => end <= length).length - 1;
    const torn = length - (ends[count] ?? 0);
    const reader = TrainingOrderReader.open(file);
    expect(reader).toMatchObject({ count, tornBytes: torn });
    expect([...reader.batches()]).toEqual(batches.slice(0, count));
    const writer = TrainingOrderWriter.resume(file);
    for (const batch of batches.slice(count)) writer.append(batch);
    writer.close();
    expect(fs.readFileSync(file)).toEqual(whole);
  }
});

test('is continued after its first batches, which it must have', () => {
  write();
  for (const count of [0, 1, batches.length]) {
    const writer = TrainingOrderWriter.resume(file, count);
    expect([...TrainingOrderReader.open(file).batches()]).toEqual(batches.slice(0, count));
    for (const batch of batches.slice(count)) writer.append(batch);
    writer.close();
    expect([...TrainingOrderReader.open(file).batches()]).toEqual(batches);
  }
  expect(() => TrainingOrderWriter.resume(file, batches.length + 1)).toThrow(CorruptRecordError);
});

test('drops a tail of zeros, as a power cut may leave', () => {
  write();
  fs.appendFileSync(file, Buffer.alloc(50));
  expect(TrainingOrderReader.open(file)).toMatchObject({ count: 4, tornBytes: 50 });
});

test('refuses a log with any single bit changed', () => {
  write();
  const whole = fs.readFileSync(file);
  const unnoticed: number[] = [];
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const bytes = Buffer.from(whole);
    bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    fs.writeFileSync(file, bytes);
    try {
      TrainingOrderReader.open(file);
      unnoticed.push(bit);
    } catch (error) {
      if (!(error instanceof CorruptRecordError)) throw error;
    }
  }
  expect(unnoticed).toEqual([]);
});

test('refuses a batch of a size that no batch has', () => {
  write([]);
  const frame = Buffer.alloc(12 + 27, 1);
  frame.writeUInt32LE(27, 0);
  frame.writeUInt32LE(crc32(frame.subarray(0, 4)), 4);
  frame.writeUInt32LE(crc32(frame.subarray(12)), 8);
  fs.appendFileSync(file, frame);
  const reader = TrainingOrderReader.open(file);
  expect(() => [...reader.batches()]).toThrow(/bytes of a batch/);
});

test('starts over when a kill left less than a header', () => {
  fs.writeFileSync(file, Buffer.alloc(5, 7));
  const writer = TrainingOrderWriter.resume(file);
  for (const batch of batches) writer.append(batch);
  writer.close();
  expect([...TrainingOrderReader.open(file).batches()]).toEqual(batches);
});

test('streams logs larger than its chunk', () => {
  const many = Array.from({ length: 300 }, (_, step) => ({
    step,
    epoch: 0,
    examples: new Int32Array(2000).fill(step),
    ...RATE,
  }));
  write([...many, { step: 300, epoch: 0, examples: new Int32Array(400_000).fill(9), ...RATE }]);
  let sum = 0;
  for (const { examples } of TrainingOrderReader.open(file).batches())
    sum += examples.length + (examples.at(-1) ?? 0);
  expect(sum).toBe(300 * 2000 + (299 * 300) / 2 + 400_000 + 9);
});

test('ends where it did when the disk filled up halfway through a record', () => {
  const writer = TrainingOrderWriter.create(file);
  const whole = fs.writeSync.bind(fs) as (...args: unknown[]) => number;
  let calls = 0;
  const full = jest.spyOn(fs, 'writeSync').mockImplementation((...args: unknown[]) => {
    if (calls++ > 0) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
    return whole(args[0], args[1], args[2], 10, args[4]);
  });
  expect(() => {
    writer.append({ step: 9, epoch: 0, examples: new Int32Array(100), ...RATE });
  }).toThrow(DiskWriteError);
  full.mockRestore();
  for (const batch of batches) writer.append(batch);
  writer.close();
  expect([...TrainingOrderReader.open(file).batches()]).toEqual(batches);
});
