import fc from 'fast-check';
import { batchByTokens } from '../../lib/datasets/batch-by-tokens';
import { InvalidOptionError } from '../../lib/errors';
import { all, exampleOf, stream } from './support';

const cases = fc.record({
  lengths: fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 }),
  tokenBudget: fc.integer({ min: 1, max: 120 }),
  window: fc.integer({ min: 1, max: 70 }),
});

it('puts every example in exactly one batch, whatever the budget and the window', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ lengths, ...options }) => {
      const batches = await all(
        batchByTokens(stream(lengths.map((length, id) => exampleOf(id, length))), options),
      );
      const ids = batches.flatMap((batch) => batch.map(({ id }) => id));
      expect(ids.sort((a, b) => a - b)).toEqual(lengths.map((_, id) => id));
    }),
  );
});

it('keeps the budget, padding included, but for single examples that are longer', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ lengths, tokenBudget, window }) => {
      const examples = stream(lengths.map((length, id) => exampleOf(id, length)));
      for await (const batch of batchByTokens(examples, { tokenBudget, window })) {
        const longest = Math.max(...batch.map(({ inputIds }) => inputIds.length));
        expect(batch.length === 1 || batch.length * longest <= tokenBudget).toBe(true);
      }
    }),
  );
});

it('reads no more than its window ahead', async () => {
  let read = 0;
  async function* counted() {
    for await (const example of stream(Array.from({ length: 100 }, (_, id) => exampleOf(id, 4)))) {
      read++;
      yield example;
    }
  }
  const batches = batchByTokens(counted(), { tokenBudget: 8, window: 10 });
  await batches.next();
  expect(read).toBe(10);
  await batches.return(undefined);
});

it('fills a batch up from the next window', async () => {
  const examples = stream(Array.from({ length: 6 }, (_, id) => exampleOf(id, 1)));
  const batches = await all(batchByTokens(examples, { tokenBudget: 2, window: 3 }));
  expect(batches.map((batch) => batch.length)).toEqual([2, 2, 2]);
});

it('pads less than batches in the order of the data set', async () => {
  const lengths = Array.from({ length: 300 }, (_, id) => 1 + ((id * 7919) % 97));
  const padded = async (window: number): Promise<number> => {
    const examples = stream(lengths.map((length, id) => exampleOf(id, length)));
    const batches = await all(batchByTokens(examples, { tokenBudget: 500, window }));
    return batches
      .map((batch) => batch.length * Math.max(...batch.map(({ inputIds }) => inputIds.length)))
      .reduce((sum, size) => sum + size, 0);
  };
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  expect((await padded(300)) / tokens).toBeLessThan(1.1);
  expect((await padded(1)) / tokens).toBeCloseTo(1, 5); // batches of one
});

it.each([{ tokenBudget: 0 }, { tokenBudget: 2.5 }, { tokenBudget: 8, window: 0 }])(
  'refuses %p',
  async (options) => {
    await expect(all(batchByTokens(stream([]), options))).rejects.toThrow(InvalidOptionError);
  },
);
