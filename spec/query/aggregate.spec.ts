import fc from 'fast-check';
import { Attributor } from '../../callbacks';
import { relativeError, ROUNDING } from '../support/closeness';
import { nearest } from '../../lib/query/aggregate';
import type { Neighbor } from '../../lib/search/gradient-index';
import type { StoreNeighbors } from '../../lib/search/several-stores';
import { denseCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';
import { slice, trainRun } from '../support/trained-run';

/** The ends of `scores` of all examples, `sign` 1 the highest. */
function best(scores: readonly number[], k: number, sign: 1 | -1): Neighbor[] {
  return scores
    .map((score, example) => ({ example, score }))
    .sort((a, b) => sign * (b.score - a.score) || a.example - b.example)
    .slice(0, k);
}

it('finds the nearest to any query among the nearest to each, ties and all', () => {
  // Few different scores, so that ties are everywhere.
  const score = fc.integer({ min: -3, max: 3 });
  const cases = fc
    .tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 4 }))
    .chain(([examples, queries]) =>
      fc.tuple(
        fc.array(fc.array(score, { minLength: examples, maxLength: examples }), {
          minLength: queries,
          maxLength: queries,
        }),
        fc.integer({ min: 1, max: examples }),
      ),
    );
  fc.assert(
    fc.property(cases, ([scores, k]) => {
      // Every other row is of the other of two stores; ties then are by the row's number, as examples' ids are.
      const place = ({ example, score }: Neighbor) => ({ example: example >> 1, store: example & 1, score });
      const found: StoreNeighbors[] = scores.map((ofQuery) => ({
        highest: best(ofQuery, k, 1).map(place),
        lowest: best(ofQuery, k, -1).map(place),
      }));
      const ends = nearest(found, k);
      for (const [name, sign] of [
        ['highest', 1],
        ['lowest', -1],
      ] as const) {
        const extremes = scores[0]!.map((_, example) =>
          sign === 1
            ? Math.max(...scores.map((ofQuery) => ofQuery[example]!))
            : Math.min(...scores.map((ofQuery) => ofQuery[example]!)),
        );
        const rows = ends[name].map((hit) => ({ ...hit, example: 2 * hit.example + hit.store }));
        expect(rows.map(({ example, score }) => ({ example, score }))).toEqual(best(extremes, k, sign));
        for (const { example, score, query } of rows) {
          expect(scores.findIndex((ofQuery) => ofQuery[example] === score)).toBe(query);
        }
      }
    }),
  );
});

describe('a batch of queries', () => {
  const directory = temporaryDirectory();
  const EXAMPLES = 20;

  it('is answered singly, by its mean, or by the nearest', async () => {
    const trained = await trainRun(directory, denseCase, { exampleCount: EXAMPLES });
    const attributor = await Attributor.open(trained.run);
    const query = slice(trained, 0, 3);
    const options = { k: EXAMPLES };
    const singly = await attributor.trace(trained.model, query, options);
    expect(singly.map(({ highest }) => highest.map((hit) => hit.query))).toEqual(
      [0, 1, 2].map((number) => Array.from({ length: EXAMPLES }, () => number)),
    );
    const scores = singly.map(({ highest }) => {
      const byExample = new Map(highest.map((hit) => [hit.example, hit.score]));
      return Array.from({ length: EXAMPLES }, (_, example) => byExample.get(example)!);
    });

    const [mean, ...others] = await attributor.trace(trained.model, query, { ...options, aggregate: 'mean' });
    expect(others).toEqual([]);
    const means = mean!.highest.map(({ example }) => scores.reduce((sum, of) => sum + of[example]! / 3, 0));
    expect(
      relativeError(
        mean!.highest.map(({ score }) => score),
        means,
      ),
    ).toBeLessThan(ROUNDING);
    expect(mean!.highest.every((hit) => hit.query === null)).toBe(true);

    const [near] = await attributor.trace(trained.model, query, { k: 5, aggregate: 'nearest' });
    const maxima = scores[0]!.map((_, example) => Math.max(...scores.map((of) => of[example]!)));
    expect(near!.highest.map(({ example, score }) => ({ example, score }))).toEqual(best(maxima, 5, 1));
    await attributor.close();
  });

  it('has no lowest end where none is wanted', async () => {
    const trained = await trainRun(directory, denseCase);
    const attributor = await Attributor.open(trained.run);
    const [both] = await attributor.trace(trained.model, slice(trained, 0, 1), { k: 3 });
    const [one] = await attributor.trace(trained.model, slice(trained, 0, 1), { k: 3, lowest: false });
    expect(one).toEqual({ highest: both!.highest, lowest: [] });
    await attributor.close();
  });
});
