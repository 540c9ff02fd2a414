import { collate } from '../../lib/datasets/collate';
import { exampleOf } from './support';

it('pads on the right to the longest example, without loss there', () => {
  const weighted = { ...exampleOf(3, 2), weight: -0.5 };
  const batch = collate([exampleOf(7, 3), weighted]);
  expect(batch.shape).toEqual([2, 3]);
  expect([...batch.ids]).toEqual([7, 3]);
  expect([...batch.inputIds]).toEqual([8, 9, 10, 4, 5, 0]);
  expect([...batch.labels]).toEqual([8, 9, 10, 4, 5, -100]);
  expect([...batch.weights]).toEqual([1, -0.5]);
});

it('makes an empty batch of no examples', () => {
  expect(collate([]).shape).toEqual([0, 0]);
});
