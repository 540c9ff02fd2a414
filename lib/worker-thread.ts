/** Starts worker threads from the library's own files, compiled or not. */
import path from 'node:path';
import { Worker } from 'node:worker_threads';

/** Under a test runner there is no compiled worker: compile the sources as they are required. */
const FROM_SOURCES = `
  const fs = require('node:fs');
  const { createRequire } = require('node:module');
  const { entry } = require('node:worker_threads').workerData;
  const load = createRequire(entry);
  const swc = load('@swc/core');
  const jsc = { target: 'es2022', parser: { syntax: 'typescript' } };
  require.extensions['.ts'] = (module, file) => {
    const { code } = swc.transformFileSync(file, { filename: file, jsc, module: { type: 'commonjs' }, swcrc: false });
    module._compile(code, file);
  };
  load(entry);
`;

/** A thread that runs `file`, a path without its extension. It keeps the process alive until it is unreferenced. */
export function startThread(file: string): Worker {
  const extension = path.extname(__filename);
  const entry = `${file}${extension}`;
  return extension === '.ts'
    ? new Worker(FROM_SOURCES, { eval: true, workerData: { entry } })
    : new Worker(entry);
}
