import path from 'node:path';
import { fitPreconditioner } from '../../../lib/preconditioners/fit';
import { GradientStoreReader } from '../../../lib/store/reader';
import { diagnosePreconditioner } from '../../../scripts/doctor/preconditioner-diagnosis';
import { describePreconditioner, drawSpectrum } from '../../../scripts/doctor/preconditioner-report';
import { writeStore } from '../../store/support';
import { temporaryDirectory } from '../../support/temporary-directory';

const directory = path.join(temporaryDirectory(), 'store');
const columns = [
  { layer: 'two', width: 2 },
  { layer: 'dead', width: 1 },
];

it('draws eigenvalues by their logarithm over eight decades, and where damping cuts them', () => {
  expect(drawSpectrum([1, 1e-4, 1e-8], 1e-5)).toBe('█▅|▁');
  expect(drawSpectrum([5, 5], 0)).toBe('██|');
  expect(drawSpectrum([1, 0, -1e-20], 0.1)).toBe('█|▁▁');
  expect(drawSpectrum([1e-3], 1)).toBe('|█');
});

it('tells condition numbers before and after damping, and of layers without a gradient', async () => {
  // Autocorrelation diag(9, 1) / 2, of mean 2.5.
  const rows = [Float32Array.of(3, 0, 0), Float32Array.of(0, 1, 0)];
  await writeStore(directory, { rows: 2, dtype: 'float32', columns }, rows);
  const store = GradientStoreReader.open(directory);
  expect(diagnosePreconditioner(store)).toBeNull();
  await fitPreconditioner(store, { damping: 0.2 });
  const found = diagnosePreconditioner(store);
  expect(found).toMatchObject({
    damping: 0.2,
    examples: 2,
    of: 'rows',
    share: null,
    applied: 'queries',
    layers: [
      {
        layer: 'two',
        smallest: 0.5,
        largest: 4.5,
        damping: 0.5,
        condition: 5,
        aboveDamping: 1,
        spectrum: [4.5, 0.5],
      },
      { layer: 'dead', condition: null, aboveDamping: 0, spectrum: [0] },
    ],
  });
  store.close();
  const lines = describePreconditioner('epoch_0', found ?? 'none').join('\n');
  expect(lines.replace(/\s+/g, ' ')).toContain(
    "Preconditioner of epoch_0: `query --precondition` scores by the autocorrelation of 2 rows, damped by 0.2 of each layer's mean eigenvalue.",
  );
  expect(lines).toMatch(/two +│ +2 │ +9\.00 │ +5\.00 │ +1 │ █\|▇/);
  expect(lines).toMatch(/dead +│ +1 │ +│ +│ +│ no gradient: left out of scores/);
  expect(describePreconditioner('epoch_0', 'it is broken')[0]).toContain('epoch_0 is unusable: it is broken');
});
