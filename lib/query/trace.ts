/** What is told of the training examples that a search found. */
import type { ExampleRecord } from '../run/example-records';
import type { Run } from '../run/run';
import type { TokenOffsets } from '../store/token-offsets';
import type { Sighting } from '../store/training-order';
import type { QueriedNeighbor, QueriedNeighbors } from './aggregate';
import { unlessDamaged, type OnDamage } from './damage';
import type { EpochScore } from './epoch-scores';

/** A training example as an answer. */
export interface TracedExample extends QueriedNeighbor {
  /** When training saw it, in order; empty unless the run tracked the order. */
  readonly seen: readonly Sighting[];
  /** What it scores in each epoch's store, epochs in order; only there if asked for. */
  readonly epochs?: readonly EpochScore[];
  /** What the run was told of it. */
  readonly record: ExampleRecord | undefined;
  /** Which of its tokens it is, from 0, and that token's row; only there where each token has a row. */
  readonly token?: { readonly position: number; readonly row: number };
}

/** Both ends of a ranking. A positive score means: training on the example lowered the query's loss. */
export interface Trace {
  readonly highest: readonly TracedExample[];
  readonly lowest: readonly TracedExample[];
}

/** Scores of examples for the query of that number, null for one that stands for all, by epoch. */
type EpochScores = (
  query: number | null,
  examples: readonly number[],
) => ReadonlyMap<number, readonly EpochScore[]>;

interface Describing {
  readonly epochScores?: EpochScores | undefined;
  /** Whose rows are whose, where each token has a row. */
  readonly tokens?: TokenOffsets | undefined;
  /** Told what is damaged, and then left out; without it, damage is thrown. */
  readonly onDamage?: OnDamage | undefined;
}

/** Joins what was found with what `run` knows of it and, given `epochScores`, with scores by epoch. */
export function describeNeighbors(
  run: Run,
  found: readonly QueriedNeighbors[],
  { epochScores, tokens, onDamage }: Describing = {},
): Trace[] {
  const all = found.flatMap(({ highest, lowest }) => [...highest, ...lowest]);
  const whose = (row: number) => tokens?.tokenOf(row).example ?? row;
  const ids = new Set(all.map(({ example }) => whose(example)));
  const sightings = unlessDamaged(() => run.trainingOrder()?.sightings(ids), onDamage);
  const records = unlessDamaged(() => run.exampleRecords(ids), onDamage);
  const byQuery = epochScores === undefined ? undefined : scoreByQuery(all, epochScores);
  const describe = (neighbor: QueriedNeighbor): TracedExample => {
    const { query, example: row } = neighbor;
    const epochs = byQuery?.get(query)?.get(row);
    const example = whose(row);
    return {
      ...neighbor,
      example,
      ...(tokens === undefined ? {} : { token: { position: tokens.tokenOf(row).position, row } }),
      seen: sightings?.get(example) ?? [],
      ...(epochs === undefined ? {} : { epochs }),
      record: records?.get(example),
    };
  };
  return found.map(({ highest, lowest }) => ({
    highest: highest.map(describe),
    lowest: lowest.map(describe),
  }));
}

/** Each query's stores are read once for all its neighbors. */
function scoreByQuery(
  neighbors: readonly QueriedNeighbor[],
  epochScores: EpochScores,
): Map<number | null, ReadonlyMap<number, readonly EpochScore[]>> {
  const queries = [...new Set(neighbors.map(({ query }) => query))];
  return new Map(
    queries.map((query) => {
      const examples = neighbors.flatMap((neighbor) => (neighbor.query === query ? neighbor.example : []));
      return [query, epochScores(query, examples)];
    }),
  );
}
