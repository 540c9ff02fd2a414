/** What is told of the training examples that a search found. */
import type { ExampleRecord } from '../run/example-records';
import type { Run } from '../run/run';
import { epochOfStore } from '../run/run-paths';
import type { TokenOffsets } from '../store/token-offsets';
import type { Sighting } from '../store/training-order';
import type { QueriedNeighbor, QueriedNeighbors } from './aggregate';
import { unlessDamaged, type OnDamage } from './damage';
import type { EpochScore } from './epoch-scores';
import type { NamedStore } from './name-stores';

/** The store that a hit is from. */
export interface HitSource {
  /** The run's directory. */
  readonly run: string;
  readonly store: string;
  /** Null where the store is of no one epoch. */
  readonly epoch: number | null;
}

/** A training example as an answer. */
export interface TracedExample extends Omit<QueriedNeighbor, 'store'> {
  readonly source: HitSource;
  /** When training saw it, in order; empty unless the run tracked the order. */
  readonly seen: readonly Sighting[];
  /** What it scores in each epoch's store of its run, epochs in order; only there if asked for. */
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

/** A store that was searched. */
export interface Source extends NamedStore {
  /** Whose rows are whose, where each token has a row. */
  readonly tokens: TokenOffsets | undefined;
}

/** Scores of examples of `run` for the query of that number, null for one that stands for all, by epoch. */
type EpochScores = (
  run: Run,
  query: number | null,
  examples: readonly number[],
) => ReadonlyMap<number, readonly EpochScore[]>;

interface Describing {
  readonly epochScores?: EpochScores | undefined;
  /** Told what is damaged, and then left out; without it, damage is thrown. */
  readonly onDamage?: OnDamage | undefined;
}

/** Joins what was found in `sources` with what their runs know of it and, given `epochScores`, with scores by epoch. */
export function describeNeighbors(
  sources: readonly Source[],
  found: readonly QueriedNeighbors[],
  { epochScores, onDamage }: Describing = {},
): Trace[] {
  const all = found.flatMap(({ highest, lowest }) => [...highest, ...lowest]);
  const runs = [...new Set(sources.map(({ run }) => run))];
  const known = new Map(runs.map((run) => [run, knowledgeOf(run, sources, all, { epochScores, onDamage })]));
  const describe = ({ store, example: row, query, score }: QueriedNeighbor): TracedExample => {
    const { run, name, tokens } = sources[store] as Source;
    const token = tokens?.tokenOf(row);
    const example = token?.example ?? row;
    const { sightings, records, epochs } = known.get(run) ?? {};
    const byEpoch = epochs?.get(query)?.get(row);
    return {
      example,
      score,
      query,
      source: { run: run.path, store: name, epoch: epochOfStore(name) ?? null },
      ...(token === undefined ? {} : { token: { position: token.position, row } }),
      seen: sightings?.get(example) ?? [],
      ...(byEpoch === undefined ? {} : { epochs: byEpoch }),
      record: records?.get(example),
    };
  };
  return found.map(({ highest, lowest }) => ({
    highest: highest.map(describe),
    lowest: lowest.map(describe),
  }));
}

interface Knowledge {
  readonly sightings: ReadonlyMap<number, readonly Sighting[]> | undefined;
  readonly records: ReadonlyMap<number, ExampleRecord> | undefined;
  readonly epochs: ReadonlyMap<number | null, ReadonlyMap<number, readonly EpochScore[]>> | undefined;
}

/** What `run` knows of those of `neighbors` that are its own. */
function knowledgeOf(
  run: Run,
  sources: readonly Source[],
  neighbors: readonly QueriedNeighbor[],
  { epochScores, onDamage }: Describing,
): Knowledge {
  const own = neighbors.filter(({ store }) => sources[store]?.run === run);
  const ids = new Set(
    own.map(({ store, example: row }) => sources[store]?.tokens?.tokenOf(row).example ?? row),
  );
  return {
    sightings: unlessDamaged(() => run.trainingOrder()?.sightings(ids), onDamage),
    records: unlessDamaged(() => run.exampleRecords(ids), onDamage),
    epochs: epochScores === undefined ? undefined : scoreByQuery(run, own, epochScores),
  };
}

/** Each query's stores are read once for all its neighbors. */
function scoreByQuery(
  run: Run,
  neighbors: readonly QueriedNeighbor[],
  epochScores: EpochScores,
): Map<number | null, ReadonlyMap<number, readonly EpochScore[]>> {
  const queries = [...new Set(neighbors.map(({ query }) => query))];
  return new Map(
    queries.map((query) => {
      const examples = neighbors.flatMap((neighbor) => (neighbor.query === query ? neighbor.example : []));
      return [query, epochScores(run, query, examples)];
    }),
  );
}
