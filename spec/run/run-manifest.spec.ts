import path from 'node:path';
import { Run, UnsupportedVersionError } from '../../callbacks';
import { writeRecord } from '../../lib/store/record-file';
import { temporaryDirectory } from '../support/temporary-directory';

const directory = temporaryDirectory();
it('refuses a version newer than it knows', () => {
  const kind = { kind: 'tfjs-bergson run', version: 2 };
  writeRecord(path.join(directory, 'run.msgpack'), kind, {
    state: 'complete',
    examples: 3,
    layers: [],
    epochs: [],
  });
  expect(() => Run.open(directory)).toThrow(UnsupportedVersionError);
});
