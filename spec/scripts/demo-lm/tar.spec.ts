import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { readTar } from '../../../scripts/demo-lm/tar';
import { temporaryDirectory } from '../../support/temporary-directory';

const directory = temporaryDirectory();

it('reads the files of an archive that `tar` has made: empty, of whole blocks, of long names, in folders', () => {
  const deep = path.join('package', 'd'.repeat(60), 'e'.repeat(60));
  fs.mkdirSync(path.join(directory, deep), { recursive: true });
  const files = {
    'package/empty': '',
    'package/block': 'x'.repeat(512),
    'package/more.json': `{"text": "${'é'.repeat(300)}"}`,
    [path.join(deep, 'file')]: 'deep',
  };
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(directory, name), text);
  const archive = execFileSync('tar', ['-c', '--format=ustar', '-C', directory, 'package']);
  const found = readTar(archive).map(({ name, content }) => [name, content.toString('utf8')]);
  expect(Object.fromEntries(found)).toEqual(files);
});
