import fc from 'fast-check';
import { Likeliest } from '../../lib/search/likeliest';

interface Offer {
  readonly row: number;
  readonly score: number;
  readonly margin: number;
}

/** What is kept, by its definition. */
function oracle(offers: readonly Offer[], k: number, sign: number, most: number): number[] {
  const upper = ({ score, margin }: Offer) => sign * score + margin;
  const lower = ({ score, margin }: Offer) => sign * score - margin;
  const first = [...offers].sort((a, b) => upper(b) - upper(a) || a.row - b.row).slice(0, most);
  const best = first.map(lower).sort((a, b) => b - a)[k - 1] ?? -Infinity;
  return first.flatMap((offer) => (upper(offer) >= best ? [offer.row] : []));
}

test('keeps the same rows in any order, alone or divided between several', () => {
  const offer = fc.record({ score: fc.integer({ min: -9, max: 9 }), margin: fc.integer({ min: 0, max: 4 }) });
  const scenario = fc.record({
    scored: fc.array(offer, { maxLength: 60 }),
    k: fc.integer({ min: 1, max: 4 }),
    beyond: fc.integer({ min: 0, max: 6 }),
    sign: fc.constantFrom<1 | -1>(1, -1),
    parts: fc.integer({ min: 1, max: 3 }),
    seed: fc.integer(),
  });
  fc.assert(
    fc.property(scenario, ({ scored, k, beyond, sign, parts, seed }) => {
      const most = k + beyond;
      const offers = scored.map((each, row) => ({ ...each, row }));
      const shuffled = [...offers].sort((a, b) => mixed(a.row, seed) - mixed(b.row, seed));
      const found = Array.from({ length: parts }, (_, part) => {
        const collected = new Likeliest(k, sign, most);
        for (const { row, score, margin } of shuffled.filter(
          ({ row }) => mixed(row, seed + 1) % parts === part,
        )) {
          collected.offer(row, score, margin);
        }
        return collected.bounded();
      });
      const together = new Likeliest(k, sign, most);
      for (const { rows, scores, margins } of found) {
        rows.forEach((row, i) => {
          together.offer(row, scores[i]!, margins[i]!);
        });
      }
      expect([...together.bounded().rows]).toEqual(oracle(offers, k, sign, most));
    }),
    { numRuns: 400 },
  );
});

test('asks for what k rows, or as many as it keeps, reach', () => {
  const highest = new Likeliest(2, 1, 3);
  expect(highest.threshold).toBe(-Infinity);
  for (const row of [0, 1, 2]) highest.offer(row, row, 10);
  expect(highest.threshold).toBe(-9);
  for (const row of [3, 4, 5]) highest.offer(row, row, 10);
  expect(highest.threshold).toBe(13);
  const lowest = new Likeliest(1, -1, 3);
  lowest.offer(0, -5, 1);
  expect(lowest.threshold).toBe(-4);
});

function mixed(row: number, seed: number): number {
  return Math.imul(row + 1, seed | 1) >>> 7;
}
