import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { loadAddon } from '../../../kernels/addon';
import { openScanner } from '../../../kernels/scan/open-scanner';
import type { ScanQuestion } from '../../../kernels/scan/block-scanner';
import { decodeFloat16, encodeFloat16 } from '../../../lib/store/float16';
import { compileScanKernel } from '../../../scripts/wasm/compile';
import { INSTRUCTION_SETS, lacking } from '../native-operations';

const addon = loadAddon();

test('the committed WebAssembly is what its source says', async () => {
  const file = join(__dirname, '../../../kernels/scan/scan-wasm.ts');
  expect(readFileSync(file, 'utf8')).toBe(await compileScanKernel());
});

describe.each(['wasm', ...INSTRUCTION_SETS])('scores by %s', (kernel) => {
  const reason = kernel === 'wasm' ? '' : lacking(kernel);
  const whereThere = reason === '' ? test : test.skip;
  afterAll(() => {
    if (typeof addon !== 'string') addon.useInstructionSet(addon.instructionSets[0] ?? '');
  });

  whereThere(`are within their margin of the exact ones, and margins small${reason}`, () => {
    if (typeof addon !== 'string' && kernel !== 'wasm') expect(addon.useInstructionSet(kernel)).toBe(true);
    const scenario = fc.record({
      seed: fc.integer({ min: 1, max: 1e6 }),
      ranges: fc.array(fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 900 })), {
        minLength: 1,
        maxLength: 3,
      }),
      rows: fc.integer({ min: 1, max: 150 }),
      queries: fc.integer({ min: 1, max: 19 }),
      half: fc.boolean(),
      unitNorm: fc.boolean(),
      exponents: fc.option(fc.array(fc.integer({ min: -40, max: 40 }), { minLength: 1 }), { nil: undefined }),
      doubted: fc.boolean(),
    });
    fc.assert(
      fc.property(scenario, ({ seed, ranges: gaps, rows, queries, half, unitNorm, exponents, doubted }) => {
        let width = 0;
        const ranges = gaps.map(([gap, length]) => ({ begin: width + gap, end: (width += gap + length) }));
        const values = numbers(seed, rows * width);
        const question: ScanQuestion = {
          ...{ width, half, ranges, unitNorm, blockRows: rows },
          queries: Array.from({ length: queries }, (_, i) => numbers(seed + i + 1, width)),
          ...(doubted && { doubts: Array.from({ length: queries }, (_, i) => doubtOf(i)) }),
        };
        const residuals = numbers(seed - 1, rows).map(Math.abs);
        const scanner = openScanner(question, kernel === 'wasm' ? 'wasm' : 'native');
        if (half) {
          const halves = new Uint16Array(values.length);
          encodeFloat16(values, halves);
          decodeFloat16(halves, values);
          scanner.block.set(new Uint8Array(halves.buffer));
        } else scanner.block.set(new Uint8Array(values.buffer));
        const factors =
          exponents &&
          Float32Array.from({ length: rows }, (_, row) => 2 ** exponents[row % exponents.length]!);
        factors?.forEach((factor, row) => {
          for (let i = row * width; i < (row + 1) * width; i++) values[i]! *= factor;
        });
        const { hits } = scanner;
        let [seen, outside, wide] = [0, 0, 0];
        for (let next = 0; next < rows;) {
          next = scanner.scan(next, rows, undefined, factors, residuals);
          for (let hit = 0; hit < hits.count; hit++) {
            const { score, norm } = exact(question, values, hits.row(hit), hits.query(hit));
            const query = question.queries[hits.query(hit)]!;
            const error = Math.abs(score * scanner.scales[hits.query(hit)]! - hits.score(hit));
            const { ofNorm, ofResidual } = doubted ? doubtOf(hits.query(hit)) : doubtOf(0);
            const known = norm === 0 ? 0 : unitNorm ? 1 : norm;
            const doubt =
              (ofNorm * known + ofResidual * residuals[hits.row(hit)]!) * scanner.scales[hits.query(hit)]!;
            if (!(error <= hits.margin(hit) && hits.margin(hit) >= doubt * (1 - 1e-5))) outside++;
            // 1.25 or 2.5 gamma of at most 300 roundings, with a norm that rounding may raise.
            const bound = 2.6 * 300 * 2 ** -24 * (unitNorm ? 1 : norm) * scanner.scales[hits.query(hit)]!;
            if (!(hits.margin(hit) <= bound * Math.hypot(...query) + doubt * (1 + 1e-5))) wide++;
          }
          seen += hits.count;
        }
        // With no thresholds every row is a hit for every query.
        expect({ seen, outside, wide }).toEqual({ seen: rows * queries, outside: 0, wide: 0 });
      }),
      { numRuns: 25 },
    );
  });
});

/** Of a query that is doubted; of the first there is nothing. */
function doubtOf(query: number) {
  return { ofNorm: query % 3, ofResidual: (query * 5) % 4 };
}

/** From -1 to 1; a tenth are zeros, and a tenth subnormal in float16. */
function numbers(seed: number, count: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const value = state / 2 ** 31 - 1;
    return state % 1000 < 100 ? 0 : state % 1000 < 200 ? value * 2 ** -18 : value;
  });
}

function exact(
  { width, queries, ranges, unitNorm }: ScanQuestion,
  values: Float32Array,
  row: number,
  query: number,
) {
  let [score, squares] = [0, 0];
  for (const { begin, end } of ranges) {
    for (let i = begin; i < end; i++) {
      const value = values[row * width + i]!;
      score += value * queries[query]![i]!;
      squares += value * value;
    }
  }
  const norm = Math.sqrt(squares);
  return { score: unitNorm ? (norm === 0 ? 0 : score / norm) : score, norm };
}
