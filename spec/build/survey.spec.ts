import { batchShapes } from '../../lib/build/survey';
import { workOf } from '../../lib/build/work';
import { batchByTokens } from '../../lib/datasets/batch-by-tokens';
import { all, exampleOf, stream } from '../datasets/support';

it('knows the shapes of batches beforehand', async () => {
  const lengths = Int32Array.from({ length: 5000 }, (_, id) => (id % 7 === 3 ? 0 : 1 + ((id * 7919) % 97)));
  const examples = [...lengths.keys()].flatMap((id) => {
    const length = lengths[id] ?? 0;
    return length === 0 ? [] : [exampleOf(id, length)];
  });
  const batches = await all(batchByTokens(stream(examples), { tokenBudget: 256 }));
  const shapes = batches.map((batch) => [
    batch.length,
    Math.max(...batch.map(({ inputIds }) => inputIds.length)),
  ]);
  expect(await batchShapes({ lengths }, 256)).toEqual(shapes);
});

it('counts work in tokens, more for longer texts', () => {
  const size = { parameters: 1000, attention: 10 };
  expect(workOf([4, 1], size)).toBeCloseTo(4.04, 10);
  expect(workOf([1, 100], size)).toBe(200);
  expect(workOf([8, 100], { ...size, attention: 0 })).toBe(800);
});
