import { areaUnderCurve, shareFound } from '../../../scripts/demo/detection';

describe('areaUnderCurve', () => {
  it.each([
    { what: 'all wanted first', scores: [4, 3, 2, 1], wanted: [true, true, false, false], area: 1 },
    { what: 'all wanted last', scores: [1, 2, 3, 4], wanted: [true, true, false, false], area: 0 },
    // Of the four pairs of a wanted and an unwanted score, 4 > 3, 4 > 1 and 2 > 1 are in order, 2 > 3 is not.
    { what: 'one pair out of order', scores: [4, 3, 2, 1], wanted: [true, false, true, false], area: 0.75 },
    { what: 'all scores equal', scores: [5, 5, 5], wanted: [true, false, false], area: 0.5 },
    // 2 = 2 counts half and 2 > 1 whole.
    { what: 'one tie', scores: [2, 2, 1], wanted: [true, false, false], area: 0.75 },
  ])('is $area with $what', ({ scores, wanted, area }) => {
    expect(areaUnderCurve(scores, wanted)).toBeCloseTo(area, 12);
  });

  it('is not a number where nothing is wanted, or everything', () => {
    expect(areaUnderCurve([1, 2], [false, false])).toBeNaN();
    expect(areaUnderCurve([1, 2], [true, true])).toBeNaN();
  });
});

describe('shareFound', () => {
  const scores = [9, 1, 8, 2, 7, 3, 6, 4, 5, 0];
  const wanted = scores.map((score) => [9, 7, 1].includes(score));

  it.each([
    { inspected: 0.1, found: 1 / 3 },
    { inspected: 0.3, found: 2 / 3 },
    { inspected: 0.39, found: 2 / 3 }, // a part of an example is not inspected
    { inspected: 0.9, found: 1 },
  ])('finds $found in the first $inspected', ({ inspected, found }) => {
    expect(shareFound(scores, wanted, inspected)).toBeCloseTo(found, 12);
  });
});
