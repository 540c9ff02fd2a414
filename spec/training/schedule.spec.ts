import { learningRateAt } from '../../lib/training/schedule';

const schedule = { peak: 2, warmupSteps: 4, steps: 12 };

it('rises to the peak in even steps, none of them at zero', () => {
  expect([0, 1, 2, 3].map((step) => learningRateAt(step, schedule))).toEqual([0.5, 1, 1.5, 2]);
});

it('falls along half a cosine to a tenth, and stays there', () => {
  expect(learningRateAt(4, schedule)).toBe(2);
  expect(learningRateAt(8, schedule)).toBeCloseTo(1.1, 12); // halfway between the peak and its tenth
  expect(learningRateAt(6, schedule)).toBeCloseTo(0.2 + 0.9 * (1 + Math.SQRT1_2), 12);
  expect(learningRateAt(12, schedule)).toBeCloseTo(0.2, 12);
  expect(learningRateAt(50, schedule)).toBeCloseTo(0.2, 12);
});

it('begins at the peak without a warm-up, and has no steps but those of the warm-up if that is all', () => {
  expect(learningRateAt(0, { ...schedule, warmupSteps: 0 })).toBe(2);
  expect(learningRateAt(11, { ...schedule, warmupSteps: 12 })).toBe(2);
});
