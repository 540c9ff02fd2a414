import fs from 'node:fs';
import path from 'node:path';
import { batchShapes, type BatchShape } from '../../../lib/build/survey';
import { workOf, type ModelSize } from '../../../lib/build/work';
import { seededUniform } from '../../../lib/search/random';
import { RemainingTime } from '../../../scripts/terminal/remaining-time';

/** How far off what is left may be said to be after a tenth of the time. */
const FIFTH = 0.2;
/** Of the model that the times were recorded of: GPT-2 with 4 blocks of width 256. */
const SIZE: ModelSize = { parameters: 3_801_088, attention: 2048 };

/** Batches of a build on two cores that others used, too, the longest of 2,048 texts first: examples, tokens, milliseconds. */
const RECORDED = JSON.parse(fs.readFileSync(path.join(__dirname, 'batch-times.json'), 'utf8')) as [
  number,
  number,
  number,
][];

/** What is said to be left, over what is left, at the first batch to end after a `share` of the time. */
function ratioAfter(share: number, shapes: readonly BatchShape[], times: readonly number[]): number {
  const works = shapes.map((shape) => workOf(shape, SIZE));
  const end = sum(times);
  const remaining = new RemainingTime(sum(works), 0);
  for (const [batch] of shapes.entries()) {
    const now = sum(times.slice(0, batch + 1));
    remaining.update(sum(works.slice(0, batch + 1)), now);
    if (now >= share * end) return (1000 * (remaining.seconds ?? NaN)) / (end - now);
  }
  return NaN;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

it('knows after a tenth of a build that was recorded what is left, within a fifth', () => {
  const shapes = RECORDED.map(([examples, tokens]) => [examples, tokens] as const);
  const times = RECORDED.map(([, , milliseconds]) => milliseconds);
  for (const share of [0.1, 0.2, 0.5, 0.8])
    expect(Math.abs(ratioAfter(share, shapes, times) - 1)).toBeLessThan(FIFTH);
});

it.each([
  { what: 'one window', texts: 1500 },
  { what: 'several windows', texts: 9000 },
])('so it does of $what of lengths of every kind, with a slow first batch and noise', async ({ texts }) => {
  const draw = seededUniform(7);
  const lengths = Int32Array.from({ length: texts }, () => Math.ceil(4 + 400 * draw() ** 3));
  const shapes = await batchShapes({ lengths }, 2048);
  // Microseconds: the model's own operations, and more attention than it is counted as; for each example, its row.
  const times = shapes.map(
    ([examples, tokens], batch) =>
      (examples * (tokens * (100 + 0.1 * tokens) + 1000) * (0.7 + 0.6 * draw()) + (batch === 0 ? 1e6 : 0)) /
      1000,
  );
  expect(Math.abs(ratioAfter(0.1, shapes, times) - 1)).toBeLessThan(FIFTH);
});

it('does not count what was found, nor say anything before there is a pace', () => {
  const remaining = new RemainingTime(100, 0);
  expect(remaining.seconds).toBeUndefined();
  for (let done = 1; done <= 40; done++) remaining.skip(done, done / 10);
  expect(remaining.seconds).toBeUndefined();
  remaining.update(41, 9000); // the first to be worked on, slow
  expect(remaining.seconds).toBeUndefined();
  remaining.update(42, 10_000);
  remaining.update(43, 11_000);
  expect(remaining.seconds).toBe(57);
  remaining.update(100, 68_000);
  expect(remaining.seconds).toBe(0);
});
