/** Hugging Face's safetensors: named tensors behind a JSON header. Reads one tensor at a time. */
import fs from 'node:fs';
import { ClosedError, InvalidSafetensorsError } from '../errors';
import { bytesOf, readFully, writeChunksAtomic } from './disk';
import { isMap } from './record-file';

/** How each dtype is held in memory; float16 and bfloat16 as raw bits, booleans as bytes. */
const ARRAYS = {
  BOOL: Uint8Array,
  U8: Uint8Array,
  I8: Int8Array,
  U16: Uint16Array,
  I16: Int16Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  U32: Uint32Array,
  I32: Int32Array,
  F32: Float32Array,
  F64: Float64Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
} as const;

export type SafetensorsDtype = keyof typeof ARRAYS;
export type SafetensorsData =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/** A tensor's dtype and shape, and where in the data section its bytes are: [begin, end). */
export interface SafetensorsEntry {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** A tensor; `data` is row-major, in the array type of its dtype. */
export interface SafetensorsTensor {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly data: SafetensorsData;
}

/** A tensor to be written, which may be made only when its turn comes, so that one at a time is in memory. */
export type WritableTensor = Omit<SafetensorsTensor, 'data'> & {
  readonly data: SafetensorsData | (() => SafetensorsData);
};

const LARGEST_HEADER = 100_000_000; // bytes, the reference implementation's own limit

/**
 * Writes `tensors` atomically as `file`, 8-byte aligned: the bytes that the reference implementation would write. Throws
 * DiskWriteError, InvalidSafetensorsError, and what making a tensor throws; then nothing is written.
 */
export function writeSafetensors(
  file: string,
  tensors: Readonly<Record<string, WritableTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): void {
  // Wider elements first, then by name, as the reference does: every tensor is then aligned without padding.
  const entries = Object.entries(tensors).sort(
    ([nameA, a], [nameB, b]) => elementBytes(b.dtype) - elementBytes(a.dtype) || (nameA < nameB ? -1 : 1),
  );
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  let end = 0;
  for (const [name, { dtype, shape }] of entries) {
    const begin = end;
    end += elements(shape) * elementBytes(dtype);
    header[name] = { dtype, shape, data_offsets: [begin, end] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const head = Buffer.alloc(8 + padded, ' ');
  head.writeBigUInt64LE(BigInt(padded));
  json.copy(head, 8);
  writeChunksAtomic(file, head.length + end, chunksOf(file, head, entries));
}

function* chunksOf(file: string, head: Buffer, entries: readonly (readonly [string, WritableTensor])[]) {
  yield head;
  for (const [name, { dtype, shape, data }] of entries) {
    const values = typeof data === 'function' ? data() : data;
    const expected = elements(shape);
    if (!(values instanceof ARRAYS[dtype]) || values.length !== expected) {
      const found = `${values.constructor.name} of ${values.length}`;
      throw new InvalidSafetensorsError(file, name, `${ARRAYS[dtype].name} of ${expected}`, found);
    }
    yield bytesOf(values);
  }
}

/** An open safetensors file: its header in memory, its tensors read on demand. */
export class SafetensorsFile {
  private descriptor: number | undefined;

  private constructor(
    readonly path: string,
    descriptor: number,
    private readonly dataStart: number,
    /** Every tensor by name, in the header's order. */
    readonly entries: ReadonlyMap<string, SafetensorsEntry>,
    /** The header's `__metadata__`. */
    readonly metadata: Readonly<Record<string, string>>,
  ) {
    this.descriptor = descriptor;
  }

  /** Opens `file` and checks its header against its size. Throws {@link InvalidSafetensorsError}. */
  static open(file: string): SafetensorsFile {
    const descriptor = fs.openSync(file, 'r');
    try {
      const { dataStart, header } = readHeader(descriptor, file);
      const { __metadata__: metadata = {}, ...tensors } = header;
      const available = fs.fstatSync(descriptor).size - dataStart;
      const entries = new Map(
        Object.entries(tensors).map(([name, entry]) => [name, checkEntry(file, name, entry, available)]),
      );
      return new SafetensorsFile(file, descriptor, dataStart, entries, metadata as Record<string, string>);
    } catch (error) {
      fs.closeSync(descriptor);
      throw error;
    }
  }

  /** The tensor `name`, copied into an array of its own (offsets in the file may be unaligned). */
  read(name: string): SafetensorsTensor {
    if (this.descriptor === undefined) throw new ClosedError(this.path);
    const entry = this.entries.get(name);
    if (!entry) {
      const known = [...this.entries.keys()].slice(0, 20).join(', ');
      throw new InvalidSafetensorsError(this.path, 'tensor name', `one of ${known}`, name);
    }
    const bytes = new Uint8Array(entry.end - entry.begin);
    const found = readFully(this.descriptor, bytes, this.dataStart + entry.begin);
    if (found < bytes.length) {
      throw new InvalidSafetensorsError(this.path, name, `${bytes.length} bytes`, `${found}`);
    }
    return { dtype: entry.dtype, shape: entry.shape, data: new ARRAYS[entry.dtype](bytes.buffer) };
  }

  close(): void {
    if (this.descriptor !== undefined) fs.closeSync(this.descriptor);
    this.descriptor = undefined;
  }
}

function readHeader(descriptor: number, file: string) {
  const { size } = fs.fstatSync(descriptor);
  const prefix = Buffer.alloc(8);
  readFully(descriptor, prefix, 0);
  const length = Number(prefix.readBigUInt64LE());
  if (size < 8 || length > LARGEST_HEADER || 8 + length > size) {
    throw new InvalidSafetensorsError(file, 'header', `at most ${Math.max(0, size - 8)} bytes`, `${length}`);
  }
  const json = Buffer.alloc(length);
  readFully(descriptor, json, 8);
  try {
    const header: unknown = JSON.parse(json.toString());
    if (isMap(header)) return { dataStart: 8 + length, header };
  } catch (cause) {
    throw new InvalidSafetensorsError(file, 'header', 'JSON', `${length} bytes that are not`, { cause });
  }
  throw new InvalidSafetensorsError(file, 'header', 'a JSON object', json.toString('utf8', 0, 20));
}

function checkEntry(file: string, name: string, entry: unknown, available: number): SafetensorsEntry {
  const fail = (expected: string): never => {
    throw new InvalidSafetensorsError(file, name, expected, JSON.stringify(entry));
  };
  if (!isMap(entry) || typeof entry.dtype !== 'string' || !(entry.dtype in ARRAYS)) {
    return fail(`a tensor of ${Object.keys(ARRAYS).join(', ')}`);
  }
  const dtype = entry.dtype as SafetensorsDtype;
  const { shape, data_offsets: offsets } = entry;
  if (!isSizes(shape)) return fail('given a shape of whole numbers');
  if (!isSizes(offsets) || offsets.length !== 2) return fail('given two data offsets');
  const [begin = 0, end = 0] = offsets;
  const bytes = elements(shape) * elementBytes(dtype);
  if (end - begin !== bytes) return fail(`${bytes} bytes, as its shape says`);
  if (end > available) return fail(`within the ${available} bytes of data`);
  return { dtype, shape, begin, end };
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && (size as number) >= 0);
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function elementBytes(dtype: SafetensorsDtype): number {
  return ARRAYS[dtype].BYTES_PER_ELEMENT;
}
