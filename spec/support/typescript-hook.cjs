/** `node --require` this file to run the TypeScript sources without compiling them to dist/ first. */
const { transformSync, version } = require('@swc/core');
const { createHash } = require('node:crypto');
const { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

// Specs start dozens of processes, and compiling takes a third of the time that one needs.
const CACHE = join(__dirname, '../../node_modules/.cache/typescript-hook');
const OPTIONS = {
  swcrc: false,
  sourceMaps: 'inline',
  jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
  module: { type: 'commonjs' },
};
mkdirSync(CACHE, { recursive: true });

require.extensions['.ts'] = (module, filename) => {
  module._compile(compiled(readFileSync(filename, 'utf8'), filename), filename);
};

function compiled(source, filename) {
  const identity = JSON.stringify([version, OPTIONS, filename, source]);
  const file = join(CACHE, `${createHash('sha256').update(identity).digest('hex')}.js`);
  if (existsSync(file)) return readFileSync(file, 'utf8');
  const { code } = transformSync(source, { filename, ...OPTIONS });
  // Renamed into place, so that no process reads what another has not finished.
  writeFileSync(`${file}.${process.pid}`, code);
  renameSync(`${file}.${process.pid}`, file);
  return code;
}
