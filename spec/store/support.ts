/** What the store and search specs share. */
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { StoreLayout } from '../../lib/store/format';
import { GradientStoreWriter } from '../../lib/store/writer';

/** A directory that is gone after the spec file. */
export function temporaryDirectory(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'bergson-spec-'));
  afterAll(() => {
    fs.rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

/** A number that says which example, column and version it is: 11 bits, so exact in float16. */
export function marker(example: number, column: number, version = 0): number {
  return (example % 32) + (column % 8) / 8 + (version % 8) * 32;
}

/** Row `example` of [width] markers. */
export function markedRow(example: number, width: number, version = 0): Float32Array {
  return Float32Array.from({ length: width }, (_, column) => marker(example, column, version));
}

/** Rows of `examples`, one after another. */
export function markedRows(examples: readonly number[], width: number, version = 0): Float32Array {
  const rows = new Float32Array(examples.length * width);
  examples.forEach((example, i) => {
    rows.set(markedRow(example, width, version), i * width);
  });
  return rows;
}

/** A closed store with the rows of `rows` [n, width]; undefined leaves a row unwritten. */
export async function writeStore(
  directory: string,
  layout: StoreLayout,
  rows: readonly (Float32Array | undefined)[],
): Promise<void> {
  const writer = GradientStoreWriter.create(directory, layout, { overwrite: true });
  rows.forEach((row, example) => {
    if (row) writer.write(Int32Array.of(example), row);
  });
  await writer.close();
}

const CHILDREN = path.join(__dirname, 'children');
const COMPILER = path.join(__dirname, '..', 'support', 'typescript-hook.cjs');

/** Starts `children/<name>.ts` in a process of its own. */
export function startChild(name: string, ...args: string[]): ChildProcess {
  return spawn(process.execPath, ['-r', COMPILER, path.join(CHILDREN, `${name}.ts`), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** Kills `child` with SIGKILL; resolves when it is gone. */
export async function kill(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** Resolves once `child` has printed `text`. */
export function printed(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes(text)) resolve();
    });
    child.once('exit', (code) => {
      reject(new Error(`the child ended with ${code ?? 'a signal'} before it printed ${text}`));
    });
  });
}
