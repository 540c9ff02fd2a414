import { pearson, spearman } from '../../lib/verification/correlation';

it('gives Pearson correlations known in closed form', () => {
  expect(pearson([1, 2, 3], [2, 4, 6])).toBeCloseTo(1, 12);
  expect(pearson([1, 2, 3], [3, 2, 1])).toBeCloseTo(-1, 12);
  expect(pearson([1, 2, 3, 4], [1, 3, 2, 4])).toBeCloseTo(0.8, 12); // 4 / sqrt(5 * 5)
});

it('ranks by order alone, equal values sharing a rank', () => {
  expect(spearman([1, 2, 3, 4], [1, 10, 100, 1000])).toBeCloseTo(1, 12);
  // Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5).
  expect(spearman([1, 2, 2, 4], [1, 2, 3, 4])).toBeCloseTo(4.5 / Math.sqrt(22.5), 12);
});

it('has no correlation with what does not vary', () => {
  expect(pearson([1, 2, 3], [5, 5, 5])).toBeNaN();
  expect(spearman([1, 1, 1], [1, 2, 3])).toBeNaN();
});
