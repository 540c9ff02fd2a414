import path from 'node:path';
import { Run, UnsupportedVersionError } from '../../callbacks';
import { writeRecord } from '../../lib/store/record-file';
import { temporaryDirectory } from '../support/temporary-directory';

const directory = temporaryDirectory();
const manifest = { state: 'complete', examples: 3, layers: [], epochs: [] };

function write(version: number): void {
  const kind = { kind: 'tfjs-bergson run', version };
  writeRecord(path.join(directory, 'run.msgpack'), kind, {
    ...manifest,
    coverage: { attributed: 4, trained: 5 },
  });
}

it('opens a run of format version 1, of whose coverage the totals alone are known', () => {
  write(1);
  expect(Run.open(directory).manifest.coverage).toEqual({ attributed: 4, trained: 5, layers: [] });
});

it('refuses a version newer than it knows', () => {
  write(3);
  expect(() => Run.open(directory)).toThrow(UnsupportedVersionError);
});
