import fc from 'fast-check';
import { chooseExamples } from '../../lib/verification/choose-examples';

it('takes both ends of the ranking, and what lies evenly between', () => {
  const scores = [5, -1, 9, 0, 3, 7, -4, 1, 2];
  expect(chooseExamples(scores, 6).map((place) => scores[place])).toEqual([9, 7, 3, 1, -1, -4]);
});

it('takes each place at most once, in descending order of scores, and all if there are no more', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 40 }),
      fc.nat(50),
      (scores, count) => {
        const chosen = chooseExamples(scores, count);
        expect(new Set(chosen).size).toBe(Math.min(count, scores.length));
        expect(chosen.length).toBe(Math.min(count, scores.length));
        const values = chosen.map((place) => scores[place] ?? NaN);
        expect(values).toEqual([...values].sort((a, b) => b - a));
      },
    ),
  );
});
