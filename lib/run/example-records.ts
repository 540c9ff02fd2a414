/** `examples.jsonl`: what people should see of each training example, one JSON object a line, in row order. */
import fs from 'node:fs';
import { CorruptRecordError, InvalidOptionError } from '../errors';
import { guardWrite, readFully, writeFully } from '../store/disk';

/** What to show of an example: its label, its text, or anything else that is JSON. */
export interface ExampleRecord {
  readonly label?: string | number;
  readonly text?: string;
  readonly [field: string]: unknown;
}

/**
 * Writes one record for each of `count` examples, or, if that is not known, all there are; returns how many.
 * @throws InvalidOptionError on another number; DiskWriteError
 */
export function writeExamples(file: string, records: Iterable<ExampleRecord>, count: number | null): number {
  const writer = ExampleWriter.create(file);
  let written = 0;
  try {
    for (const record of records) writer.add(written++, record);
    if (count !== null && written !== count)
      throw new InvalidOptionError('examples', written, `${count} records, one for each training example`);
    writer.finish(written);
  } catch (error) {
    writer.abort();
    throw error;
  }
  return written;
}

/** Writes records as they come, by ascending example; those that are left out are told nothing of. */
export class ExampleWriter {
  private written = 0;

  private constructor(
    private readonly file: string,
    private readonly descriptor: number,
  ) {}

  /** Begins `file`, which is there once all is written. @throws DiskWriteError */
  static create(file: string): ExampleWriter {
    return new ExampleWriter(
      file,
      guardWrite(file, 0, () => fs.openSync(partOf(file), 'w')),
    );
  }

  /** @throws DiskWriteError */
  add(example: number, record: ExampleRecord): void {
    this.skipTo(example);
    this.append(record);
  }

  /** Says how many examples there are in all. @throws DiskWriteError */
  finish(count: number): void {
    this.skipTo(count);
    guardWrite(this.file, 0, () => {
      fs.fsyncSync(this.descriptor);
      fs.closeSync(this.descriptor);
      fs.renameSync(partOf(this.file), this.file);
    });
  }

  /** Leaves nothing behind. */
  abort(): void {
    fs.closeSync(this.descriptor);
    fs.rmSync(partOf(this.file));
  }

  private skipTo(example: number): void {
    while (this.written < example) this.append({});
  }

  private append(record: ExampleRecord): void {
    writeFully(this.descriptor, this.file, Buffer.from(`${JSON.stringify(record)}\n`), null);
    this.written++;
  }
}

function partOf(file: string): string {
  return `${file}.part`;
}

/** Reads records by example, of which there may be many more than memory holds. */
export class ExampleRecords {
  private constructor(
    private readonly file: string,
    /** Where each `STRIDE`-th line starts. */
    private readonly starts: readonly number[],
    private readonly size: number,
  ) {}

  /** Passes over `file` once, to know where its lines are. */
  static open(file: string): ExampleRecords {
    const starts: number[] = [];
    let line = 0;
    let start = 0;
    for (const { chunk, position } of chunksOf(file)) {
      for (let from = 0; ;) {
        if (line % STRIDE === 0 && starts.length === line / STRIDE) starts.push(start);
        const end = chunk.indexOf(NEWLINE, from);
        if (end < 0) break;
        line++;
        from = end + 1;
        start = position + from;
      }
    }
    return new ExampleRecords(file, starts, fs.statSync(file).size);
  }

  /** The records of those of `examples` that have one. @throws CorruptRecordError */
  read(examples: Iterable<number>): Map<number, ExampleRecord> {
    const found = new Map<number, ExampleRecord>();
    const descriptor = fs.openSync(this.file, 'r');
    try {
      for (const example of examples) {
        const group = Math.floor(example / STRIDE);
        const [start, end] = [this.starts[group], this.starts[group + 1] ?? this.size];
        if (start === undefined) continue;
        const bytes = Buffer.alloc(end - start);
        readFully(descriptor, bytes, start);
        const line = bytes.toString('utf8').split('\n')[example % STRIDE];
        if (line !== undefined && line !== '') found.set(example, this.parse(line, example));
      }
    } finally {
      fs.closeSync(descriptor);
    }
    return found;
  }

  private parse(line: string, example: number): ExampleRecord {
    try {
      return JSON.parse(line) as ExampleRecord;
    } catch (cause) {
      const found = `${line.length} characters that are not`;
      throw new CorruptRecordError(this.file, `line ${example + 1}`, 'JSON', found, { cause });
    }
  }
}

/** Lines read together: one start for so many is little to keep, and they are quickly looked through. */
const STRIDE = 32;
const NEWLINE = 10;
const CHUNK_BYTES = 1 << 20;

function* chunksOf(file: string): Generator<{ chunk: Buffer; position: number }, void, undefined> {
  const descriptor = fs.openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(CHUNK_BYTES);
    for (let position = 0; ;) {
      const count = readFully(descriptor, buffer, position);
      if (count === 0) return;
      yield { chunk: buffer.subarray(0, count), position };
      position += count;
    }
  } finally {
    fs.closeSync(descriptor);
  }
}
