import path from 'node:path';
import { temporaryDirectory } from '../support/temporary-directory';
import { expectFlatCount } from './flat-count';

const directory = temporaryDirectory();

it('leaves the count of tensors flat over 1,000 steps', async () => {
  await expectFlatCount(path.join(directory, 'run'), 1000);
});
