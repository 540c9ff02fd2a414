import { shuffle } from '../../lib/training/shuffle';
import { all, stream } from '../datasets/support';

const ITEMS = Array.from({ length: 100 }, (_, i) => i);
const shuffled = (options: { seed?: number; epoch?: number; window?: number } = {}) =>
  all(shuffle(stream(ITEMS), { seed: 1, epoch: 0, ...options }));

it('gives every item once, in the same order for the same seed and epoch alone', async () => {
  const first = await shuffled();
  expect(first.toSorted((a, b) => a - b)).toEqual(ITEMS);
  expect(first).not.toEqual(ITEMS);
  expect(await shuffled()).toEqual(first);
  expect(await shuffled({ epoch: 1 })).not.toEqual(first);
  expect(await shuffled({ seed: 2 })).not.toEqual(first);
});

it('puts every item in every place about equally often', async () => {
  // Of 2,000 orders of 4 items each place has an item 500 times, with standard deviation 19.4: five of them are 97.
  const counts = Array.from({ length: 4 }, () => [0, 0, 0, 0]);
  for (let epoch = 0; epoch < 2000; epoch++) {
    const order = await all(shuffle(stream([0, 1, 2, 3]), { seed: 3, epoch }));
    order.forEach((item, place) => {
      const row = counts[item] ?? [];
      row[place] = (row[place] ?? 0) + 1;
    });
  }
  for (const count of counts.flat()) expect(Math.abs(count - 500)).toBeLessThan(97);
});

it('takes each item from among the next of the window', async () => {
  const order = await shuffled({ window: 8 });
  expect(order.toSorted((a, b) => a - b)).toEqual(ITEMS);
  order.forEach((item, place) => {
    expect(item).toBeLessThanOrEqual(place + 8);
  });
  expect(order).not.toEqual(ITEMS);
});
