import fc from 'fast-check';
import { TopK } from '../../lib/search/top-k';

test('keeps the best k, equal scores by ascending id, whatever order they come in', () => {
  const entries = fc.uniqueArray(fc.tuple(fc.nat(1000), fc.integer({ min: -3, max: 3 })), {
    selector: ([example]) => example,
    minLength: 1,
  });
  fc.assert(
    fc.property(
      entries,
      fc.integer({ min: 1, max: 12 }),
      fc.constantFrom<1 | -1>(1, -1),
      (scored, k, sign) => {
        const best = new TopK(k, sign);
        for (const [example, score] of scored) best.push(example, score);
        const sorted = scored
          .map(([example, score]) => ({ example, score: score + 0 }))
          .sort((a, b) => sign * (b.score - a.score) || a.example - b.example);
        expect(best.sorted()).toEqual(sorted.slice(0, k));
      },
    ),
    { numRuns: 500 },
  );
});
