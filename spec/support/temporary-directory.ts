import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A directory that is removed when the spec file ends. */
export function temporaryDirectory(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'bergson-spec-'));
  afterAll(() => {
    fs.rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}
