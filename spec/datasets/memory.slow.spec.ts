import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { RecordBatchStreamWriter, Table, Utf8, vectorFromArray, type RecordBatch } from 'apache-arrow';
import { TYPESCRIPT } from '../support/child-process';
import { pythonIfAny } from '../support/python';
import { temporaryDirectory } from '../support/temporary-directory';

const root = temporaryDirectory();
const BLOCKS = 150;
const BLOCK_ROWS = 1000;
const CHARACTERS = 1000;

/**
 * MiB by which memory may go up for 143 MiB of text: at most 48 of garbage that V8 may let lie, blocks of the files, and
 * modules that are loaded on the way.
 */
const GROWTH = 100;

/** Texts of one block. */
function block(first: number): string[] {
  return Array.from({ length: BLOCK_ROWS }, (_, i) =>
    `row ${first * BLOCK_ROWS + i}, "`.padEnd(CHARACTERS, 'the river '),
  );
}

/** Writes a file block by block. */
function write(name: string, header: string, line: (text: string) => string): string {
  const file = path.join(root, name);
  const descriptor = fs.openSync(file, 'w');
  fs.writeSync(descriptor, header);
  for (let i = 0; i < BLOCKS; i++) fs.writeSync(descriptor, block(i).map(line).join(''));
  fs.closeSync(descriptor);
  return file;
}

async function writeArrow(): Promise<string> {
  const folder = path.join(root, 'arrow');
  fs.mkdirSync(folder);
  function* batches(): Generator<RecordBatch> {
    for (let i = 0; i < BLOCKS; i++)
      yield* new Table({ text: vectorFromArray(block(i), new Utf8()) }).batches;
  }
  const stream = RecordBatchStreamWriter.writeAll(batches()).toNodeStream();
  await fs.promises.writeFile(path.join(folder, 'a.arrow'), stream);
  fs.writeFileSync(path.join(folder, 'state.json'), '{"_data_files": [{"filename": "a.arrow"}]}');
  return folder;
}

const TO_PARQUET = `
import pyarrow as pa, pyarrow.parquet as pq, sys
with pa.ipc.open_stream(sys.argv[1]) as batches, pq.ParquetWriter(sys.argv[2], batches.schema) as writer:
    for batch in batches: writer.write_batch(batch)
`;

/** What a process of its own, whose heap may hold 48 MiB, says of reading it all. */
function readInChild(location: string): {
  counted: number;
  rows: number;
  characters: number;
  grownMiB: number;
} {
  const child = path.join(__dirname, 'children', 'read-all.ts');
  const output = execFileSync(process.execPath, [
    '--max-old-space-size=48',
    '-r',
    TYPESCRIPT,
    child,
    location,
  ]);
  return JSON.parse(output.toString()) as ReturnType<typeof readInChild>;
}

function expectStreamed(location: string): void {
  const { counted, rows, characters, grownMiB } = readInChild(location);
  expect([counted, rows, characters]).toEqual([
    BLOCKS * BLOCK_ROWS,
    BLOCKS * BLOCK_ROWS,
    BLOCKS * BLOCK_ROWS * CHARACTERS,
  ]);
  expect(grownMiB).toBeLessThan(GROWTH);
}

describe('memory does not hold the data set', () => {
  it('of JSON lines', () => {
    expectStreamed(write('a.jsonl', '', (text) => `${JSON.stringify({ text })}\n`));
  });

  it('of CSV', () => {
    expectStreamed(write('a.csv', 'text\n', (text) => `"${text.replaceAll('"', '""')}"\n`));
  });

  it('of Arrow and Parquet', async () => {
    const folder = await writeArrow();
    expectStreamed(folder);
    const python = pythonIfAny('pyarrow', ['pyarrow']);
    if (python === undefined) return;
    const parquet = path.join(root, 'a.parquet');
    execFileSync(python, ['-c', TO_PARQUET, path.join(folder, 'a.arrow'), parquet]);
    expectStreamed(parquet);
  });
});
