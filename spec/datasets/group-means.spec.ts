import fc from 'fast-check';
import { GroupMeans, toReward } from '../../lib/datasets/group-means';

it('makes advantages that are the reward less its group’s mean', () => {
  const means = new GroupMeans();
  for (const reward of [1, 0, 0.5]) means.add('a', reward);
  means.add('b', 7);
  expect(means.advantage('a', 1)).toBe(0.5);
  expect(means.advantage('a', 0)).toBe(-0.5);
  expect(means.advantage('b', 7)).toBe(0);
});

it('tells groups apart by type', () => {
  const means = new GroupMeans();
  means.add('1', 5);
  means.add(1, 3);
  expect([means.advantage('1', 5), means.advantage(1, 3)]).toEqual([0, 0]);
});

it('makes advantages that sum to zero in each group', () => {
  const rewards = fc.array(fc.tuple(fc.nat(3), fc.double({ min: -100, max: 100, noNaN: true })), {
    minLength: 1,
  });
  fc.assert(
    fc.property(rewards, (pairs) => {
      const means = new GroupMeans();
      for (const [group, reward] of pairs) means.add(group, reward);
      for (const group of [0, 1, 2, 3]) {
        const advantages = pairs
          .filter(([g]) => g === group)
          .map(([g, reward]) => means.advantage(g, reward));
        // Rounding of at most 100 doubles of size 100.
        expect(Math.abs(advantages.reduce((sum, value) => sum + value, 0))).toBeLessThan(1e-10);
      }
    }),
  );
});

it('takes numbers, also as the text of a CSV, and nothing else', () => {
  expect([1.5, '2.5', 3n, true].map(toReward)).toEqual([1.5, 2.5, 3, 1]);
  expect([null, undefined, '', 'good', NaN, Infinity, []].map(toReward)).toEqual(Array(7).fill(undefined));
});
