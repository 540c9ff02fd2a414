import { readFileSync } from 'node:fs';
import { firstLine, PTX_FILE } from '../../scripts/ptx/compilers';

it('the committed PTX is of the kernels as they are (else: npm run build:ptx)', () => {
  expect(readFileSync(PTX_FILE, 'utf8').split('\n', 1)[0]).toBe(firstLine().trim());
});
