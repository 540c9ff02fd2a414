/** Arrow files as Hugging Face's `save_to_disk` writes them. apache-arrow is loaded when the first one is read. */
import fs from 'node:fs';
import type { RecordBatch } from 'apache-arrow';
import { guard } from './guard';
import type { Row, RowSource } from './row-source';

type Arrow = typeof import('apache-arrow');

/**
 * The rows of a file in Arrow's stream format. Memory holds one record batch. A file that is cut short, which apache-arrow
 * would read as far as it goes, is an error.
 */
export function openArrow(file: string): RowSource {
  let counted: Promise<number> | undefined;
  const countRows = (): Promise<number> => (counted ??= guard(file, 'its heads', () => scan(file)));
  return {
    format: 'Arrow',

    async count() {
      return countRows();
    },

    async *rows(start, end, columns) {
      await countRows();
      const arrow = await import('apache-arrow');
      const batches = recordBatches(arrow, file);
      let first = 0;
      try {
        for (let i = 0; first < end; i++) {
          const step = await guard(file, `record batch ${i}`, () => batches.next());
          if (step.done === true) return;
          const batch = step.value;
          const next = first + batch.numRows;
          for (let row = Math.max(start, first); row < Math.min(end, next); row++)
            yield toRow(arrow, batch, row - first, columns);
          first = next;
        }
      } finally {
        await batches.return(undefined);
      }
    },
  };
}

async function* recordBatches(arrow: Arrow, file: string): AsyncGenerator<RecordBatch, undefined> {
  const reader = await arrow.RecordBatchReader.from(fs.createReadStream(file));
  try {
    await reader.open(); // reads the schema
    for await (const batch of reader) yield batch;
    return undefined;
  } finally {
    await reader.cancel();
  }
}

/** The first word of a message, which older files leave out; then comes the length of the message's head. */
const MARK = 0xffffffff;

/** Counts rows from the heads of messages alone: what they describe is passed over. */
async function scan(file: string): Promise<number> {
  const { Message } = await import('apache-arrow/ipc/metadata/message');
  const handle = await fs.promises.open(file);
  try {
    const { size } = await handle.stat();
    const read = async (bytes: number, position: number): Promise<Buffer> => {
      const cut = new Error(`it is cut short: ${size} bytes, where ${position + bytes} are needed`);
      if (position + bytes > size) throw cut;
      return (await handle.read(Buffer.alloc(bytes), 0, bytes, position)).buffer;
    };
    let rows = 0;
    for (let position = 0; ;) {
      let length = (await read(4, position)).readUInt32LE();
      position += 4;
      if (length === MARK) {
        length = (await read(4, position)).readUInt32LE();
        position += 4;
      }
      if (length === 0) return rows; // what closes a file
      const message = Message.decode(await read(length, position));
      if (message.isRecordBatch()) rows += message.header().length;
      position += length + message.bodyLength;
    }
  } finally {
    await handle.close();
  }
}

function toRow(arrow: Arrow, batch: RecordBatch, index: number, columns: readonly string[] | undefined): Row {
  const names = columns ?? batch.schema.names.map(String);
  return Object.fromEntries(names.map((name) => [name, toPlain(arrow, batch.getChild(name)?.get(index))]));
}

/** Lists as arrays and structs as objects, whatever they are nested in. */
function toPlain(arrow: Arrow, value: unknown): unknown {
  if (value instanceof arrow.Vector)
    return Array.from(value as Iterable<unknown>, (item) => toPlain(arrow, item));
  if (!(value instanceof arrow.StructRow)) return value;
  const fields = Object.entries(value.toJSON());
  return Object.fromEntries(fields.map(([name, field]) => [name, toPlain(arrow, field)]));
}
