import fs from 'node:fs';
import path from 'node:path';
import { bestScanKernel } from '../../kernels/scan/open-scanner';
import { mergeCandidates } from '../../lib/search/ranking';
import { blockCount, scanBlocks, type ScanTask } from '../../lib/search/scan';
import { encodeFloat16 } from '../../lib/store/float16';
import { temporaryDirectory } from '../support/temporary-directory';
import { seededNormal } from './support';

const directory = temporaryDirectory();
const [ROWS, WIDTH] = [12_000, 64];
/** Columns that are not zero: few, so that rows lie along queries; the others make blocks of fewer rows. */
const USED = 3;

test('the scan of a sketch ends early, and finds what one that goes to the end does', () => {
  const normal = seededNormal(11);
  // Each row is a sketch and a residual, of norms in any proportion.
  const lengths = Array.from({ length: ROWS }, () => Math.exp(normal())).sort((a, b) => b - a);
  const sketches = new Float32Array(ROWS * WIDTH);
  const residuals = new Float32Array(ROWS);
  lengths.forEach((length, row) => {
    const all = Array.from({ length: USED + 1 }, (_, i) => normal() * (i === USED ? 3 * normal() : 1));
    const norm = Math.hypot(...all);
    all.forEach((value, i) => {
      if (i < USED) sketches[row * WIDTH + i] = (value / norm) * length;
      else residuals[row] = Math.abs(value / norm) * length;
    });
  });
  const halves = new Uint16Array(sketches.length);
  encodeFloat16(sketches, halves);
  fs.writeFileSync(path.join(directory, 'rows'), halves);
  const descriptor = fs.openSync(path.join(directory, 'rows'), 'r');
  const queries = Array.from({ length: 3 }, () =>
    Float32Array.from({ length: WIDTH }, (_, i) => (i < USED ? normal() : 0)),
  );
  const task = {
    ...{ queries, ranges: [{ begin: 0, end: WIDTH }], unitNorm: false, k: 400, flags: undefined },
    file: { directory, descriptor, rows: ROWS, width: WIDTH, dtype: 'float16' as const },
    kernel: bestScanKernel(),
  };
  const scan = (norms: Float32Array) => {
    const doubts = queries.map((_, i) => ({ ofNorm: 2 ** -11, ofResidual: i / 2 }));
    const nextBlock = new Int32Array(new SharedArrayBuffer(4));
    const full: ScanTask = { ...task, sketch: { norms, residuals, doubts, most: 5000 }, nextBlock };
    const blocks = scanBlocks(full);
    for (let taken = 0; ; taken++) {
      const { done, value } = blocks.next();
      if (done === true) return { taken, found: mergeCandidates(full, [value]), all: blockCount(full) };
    }
  };
  const ended = scan(Float32Array.from(lengths, (length) => length * (1 + 2 ** -10)));
  const whole = scan(new Float32Array(ROWS).fill(Infinity));
  fs.closeSync(descriptor);
  expect(ended.found).toEqual(whole.found);
  expect(ended.taken).toBeLessThan(whole.taken);
  expect(whole.taken).toBe(whole.all);
});
