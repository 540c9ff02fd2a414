/** `training_order.log`: which examples each training step saw, appended as training goes. */
import fs from 'node:fs';
import { crc32 } from 'node:zlib';
import type { FileWrite } from '../../kernels/write-rows';
import { ClosedError, CorruptRecordError, UnsupportedVersionError } from '../errors';
import { bytesOf, guardWrite, readFully, writeFully } from './disk';
import { isMap, packer } from './record-file';

/** How far a step of plain gradient descent goes along the gradient of an example's own loss: the product of the two. */
export interface StepRate {
  /** The optimizer's, at this step; null where it did not tell. */
  readonly learningRate: number | null;
  /** What each example's own loss was multiplied by in the step's: one over the batch's size for a mean, one for a sum. */
  readonly lossWeight: number;
}

/** A batch as it was trained on. `step` counts batches over the whole run from 0, `epoch` from 0. */
export interface TrainingBatch extends StepRate {
  readonly step: number;
  readonly epoch: number;
  readonly examples: Int32Array;
}

/** When an example was trained on. */
export type Sighting = Pick<TrainingBatch, 'step' | 'epoch'>;

const KIND = 'training-order';
const VERSION = 1;
const FRAME_BYTES = 12; // length, CRC-32 of the length, CRC-32 of the payload: uint32 little-endian each
const BATCH_BYTES = 24; // of a batch without its examples
const CHUNK_BYTES = 1024 * 1024;

/** Appends batches; each is on its way to disk, in one write, when `append` returns. */
export class TrainingOrderWriter {
  private constructor(
    readonly path: string,
    private descriptor: number | undefined,
    /** Bytes of whole records. */
    private size = 0,
  ) {}

  /** Starts the log `file`, replacing any there is. Throws DiskWriteError. */
  static create(file: string): TrainingOrderWriter {
    const writer = new TrainingOrderWriter(
      file,
      guardWrite(file, 0, () => fs.openSync(file, 'w')),
    );
    writer.appendRecord(
      frame(Buffer.concat([Buffer.alloc(FRAME_BYTES), packer.pack({ kind: KIND, version: VERSION })])),
    );
    return writer;
  }

  /**
   * Continues the log `file` after its first `batches`, or all; what follows, and a torn tail, is cut off. Throws
   * CorruptRecordError, also if it holds fewer; UnsupportedVersionError, DiskWriteError.
   */
  static resume(file: string, batches?: number): TrainingOrderWriter {
    const { validBytes, count } = TrainingOrderReader.open(file, batches);
    if (batches !== undefined && count < batches)
      throw new CorruptRecordError(file, 'batches', `${batches}`, `${count}`);
    if (validBytes === 0) return TrainingOrderWriter.create(file);
    return guardWrite(file, 0, () => {
      fs.truncateSync(file, validBytes);
      return new TrainingOrderWriter(file, fs.openSync(file, 'r+'), validBytes);
    });
  }

  /** Appends one batch. Throws DiskWriteError; the log then ends where it did, and may be appended to again. */
  append(batch: TrainingBatch): void {
    this.appendRecord(encodeBatch(batch));
  }

  /** What appends one batch when it is written, which is up to the caller; the log counts it as written already. */
  toAppend(batch: TrainingBatch): FileWrite {
    const bytes = encodeBatch(batch);
    const write = { file: this.path, descriptor: this.openDescriptor(), position: this.size, bytes };
    this.size += bytes.length;
    return write;
  }

  /** Takes back what `toAppend` returned, and all after it: it may be on disk, in part, or not. */
  takeBack({ position }: FileWrite): void {
    this.size = position;
    fs.ftruncateSync(this.openDescriptor(), position);
  }

  /** Syncs and closes the log. */
  close(): void {
    const { descriptor } = this;
    if (descriptor === undefined) return;
    this.descriptor = undefined;
    guardWrite(this.path, 0, () => {
      fs.fsyncSync(descriptor);
    });
    fs.closeSync(descriptor);
  }

  private appendRecord(bytes: Buffer): void {
    const descriptor = this.openDescriptor();
    try {
      writeFully(descriptor, this.path, bytes, this.size);
    } catch (error) {
      fs.ftruncateSync(descriptor, this.size); // no half record may come to lie between whole ones
      throw error;
    }
    this.size += bytes.length;
  }

  private openDescriptor(): number {
    if (this.descriptor === undefined) throw new ClosedError(this.path);
    return this.descriptor;
  }
}

/** A batch's record, laid out by hand: a packer's way to the same few numbers, run once a step, costs several times as much. */
function encodeBatch({ step, epoch, learningRate, lossWeight, examples }: TrainingBatch): Buffer {
  const record = Buffer.allocUnsafe(FRAME_BYTES + BATCH_BYTES + examples.byteLength);
  record.writeUInt32LE(step, FRAME_BYTES);
  record.writeUInt32LE(epoch, FRAME_BYTES + 4);
  record.writeDoubleLE(learningRate ?? NaN, FRAME_BYTES + 8);
  record.writeDoubleLE(lossWeight, FRAME_BYTES + 16);
  record.set(bytesOf(examples), FRAME_BYTES + BATCH_BYTES);
  return frame(record);
}

function decodeBatch(file: string, payload: Buffer): TrainingBatch {
  const ids = payload.subarray(BATCH_BYTES);
  if (payload.length < BATCH_BYTES || ids.length % 4 !== 0)
    throw new CorruptRecordError(
      file,
      'bytes of a batch',
      `${BATCH_BYTES} and 4 an example`,
      `${payload.length}`,
    );
  const learningRate = payload.readDoubleLE(8);
  return {
    step: payload.readUInt32LE(0),
    epoch: payload.readUInt32LE(4),
    learningRate: Number.isNaN(learningRate) ? null : learningRate,
    lossWeight: payload.readDoubleLE(16),
    examples: new Int32Array(Uint8Array.from(ids).buffer),
  };
}

/** Writes before a record's payload, for which it has room, the payload's length and the checksums. Returns the record. */
function frame(record: Buffer): Buffer {
  const payload = record.subarray(FRAME_BYTES);
  record.writeUInt32LE(payload.length, 0);
  record.writeUInt32LE(crc32(record.subarray(0, 4)), 4);
  record.writeUInt32LE(crc32(payload), 8);
  return record;
}

/** Reads a log from its start, as often as asked, holding one chunk of it in memory. */
export class TrainingOrderReader {
  private constructor(
    readonly path: string,
    /** How many batches the log holds. */
    readonly count: number,
    /** Bytes up to the end of the last whole record. */
    readonly validBytes: number,
    /** Bytes after it: what a killed process left of the record it was writing. 0 after a clean end. */
    readonly tornBytes: number,
  ) {}

  /**
   * Opens the log `file` and checks all of it, or its first `batches`, as if it ended there. Throws
   * {@link CorruptRecordError} when something other than the tail is damaged, {@link UnsupportedVersionError} when a
   * newer release wrote it.
   */
  static open(file: string, batches = Infinity): TrainingOrderReader {
    let records = 0;
    let validBytes = 0;
    for (const { payload, end } of payloads(file)) {
      if (records > batches) break;
      if (records === 0) checkHeader(file, packer.unpack(payload));
      records++;
      validBytes = end;
    }
    const tornBytes = fs.statSync(file).size - validBytes;
    return new TrainingOrderReader(file, Math.max(0, records - 1), validBytes, tornBytes);
  }

  /** All whole batches, in training order. */
  *batches(): Generator<TrainingBatch, void, undefined> {
    let header = true;
    for (const { payload, end } of payloads(this.path)) {
      if (end > this.validBytes) return; // appended since
      if (!header) yield decodeBatch(this.path, payload);
      header = false;
    }
  }

  /** When each of `examples` was trained on, in order; an empty list for those never seen. One pass. */
  sightings(examples: Iterable<number>): Map<number, Sighting[]> {
    const found = new Map<number, Sighting[]>();
    for (const example of examples) found.set(example, []);
    for (const { step, epoch, examples: seen } of this.batches()) {
      for (const example of seen) found.get(example)?.push({ step, epoch });
    }
    return found;
  }
}

interface Payload {
  readonly payload: Buffer;
  /** Where the next record starts. */
  readonly end: number;
}

/** Every whole record's payload. Stops at a torn tail; throws CorruptRecordError at any other damage. */
function* payloads(file: string): Generator<Payload, void, undefined> {
  const descriptor = fs.openSync(file, 'r');
  try {
    const { size } = fs.fstatSync(descriptor);
    let chunk = Buffer.alloc(0);
    let chunkStart = 0;
    const bytesAt = (position: number, length: number): Buffer => {
      if (position < chunkStart || position + length > chunkStart + chunk.length) {
        chunk = Buffer.alloc(Math.min(Math.max(CHUNK_BYTES, length), size - position));
        chunkStart = position;
        readFully(descriptor, chunk, position);
      }
      return chunk.subarray(position - chunkStart, position - chunkStart + length);
    };
    let position = 0;
    while (position + FRAME_BYTES <= size) {
      const frame = bytesAt(position, FRAME_BYTES);
      const length = frame.readUInt32LE(0);
      const payloadCrc = frame.readUInt32LE(8);
      const lengthCrc = crc32(frame.subarray(0, 4));
      if (lengthCrc !== frame.readUInt32LE(4)) {
        // After a power cut a file system may leave zeros where the last record was to be.
        if (restIsZero(bytesAt, position, size)) return;
        throw new CorruptRecordError(
          file,
          `length checksum at byte ${position}`,
          `${lengthCrc}`,
          `${frame.readUInt32LE(4)}`,
        );
      }
      const end = position + FRAME_BYTES + length;
      if (end > size) return;
      const payload = bytesAt(position + FRAME_BYTES, length);
      const found = crc32(payload);
      if (found !== payloadCrc) {
        throw new CorruptRecordError(
          file,
          `checksum of the record at byte ${position}`,
          `${payloadCrc}`,
          `${found}`,
        );
      }
      yield { payload, end };
      position = end;
    }
  } finally {
    fs.closeSync(descriptor);
  }
}

function restIsZero(
  bytesAt: (position: number, length: number) => Buffer,
  from: number,
  size: number,
): boolean {
  for (let position = from; position < size; position += CHUNK_BYTES) {
    if (bytesAt(position, Math.min(CHUNK_BYTES, size - position)).some((byte) => byte !== 0)) return false;
  }
  return true;
}

function checkHeader(file: string, header: unknown): void {
  const { kind, version }: Record<string, unknown> = isMap(header) ? header : {};
  if (kind !== KIND) throw new CorruptRecordError(file, 'kind', KIND, JSON.stringify(kind));
  if (typeof version !== 'number') throw new CorruptRecordError(file, 'version', 'a number', typeof version);
  if (version > VERSION) throw new UnsupportedVersionError(file, VERSION, version);
}
