/** What `bergson query --json` prints: one JSON document. */
import type { Coverage } from '../../lib/capture/coverage';
import type { Aggregate } from '../../lib/query/aggregate';
import type { Trace } from '../../lib/query/trace';
import type { ExampleRecord } from '../../lib/run/example-records';
import type { RunManifest } from '../../lib/run/run-manifest';
import type { EngineName } from '../../lib/search/gradient-index';
import type { AskedOf } from './question';
import type { Took } from './stopwatch';
import type { Answer, AskOptions, Explanation, QuerySession } from './session';

export interface QueryDocument {
  /** The run whose model is asked: the first one given. */
  readonly run: {
    readonly path: string;
    readonly state: RunManifest['state'];
    readonly examples: number | null;
    readonly coverage: Pick<Coverage, 'attributed' | 'trained'>;
  };
  /** What was searched as one; which of them a hit is from is its `source`. */
  readonly stores: readonly {
    readonly run: string;
    readonly store: string;
    readonly engine: { readonly name: EngineName; readonly reason: string };
  }[];
  readonly options: {
    readonly k: number;
    readonly unitNorm: boolean;
    readonly layers: readonly string[] | null;
    /** What is preconditioned: rows of the store, queries, or neither. */
    readonly preconditioned: QuerySession['attributor']['preconditioned'];
    readonly aggregate: Aggregate | null;
  };
  /** Milliseconds; of explanations, none. */
  readonly took: Took;
  readonly queries: readonly DocumentedAnswer[];
}

interface DocumentedAnswer extends Trace {
  /** Where several queries are answered as one, all of them. */
  readonly query: AskedOf | readonly AskedOf[];
  readonly record: ExampleRecord | null;
  /** By each store that holds the example; only there if an explanation was asked for. */
  readonly explanations?: readonly Explanation[] | undefined;
}

/** `explanations` are of the answers, in their order. */
export function toDocument(
  { attributor: { run, stores, preconditioned } }: QuerySession,
  { k, unitNorm = false, layers, aggregate }: AskOptions,
  took: Took,
  answers: readonly Answer[],
  explanations: readonly (readonly Explanation[])[],
): QueryDocument {
  const { state, examples, coverage } = run.manifest;
  const { attributed, trained } = coverage;
  return {
    run: { path: run.path, state, examples, coverage: { attributed, trained } },
    stores: stores.map(({ run: { path }, name, engine, reason }) => ({
      run: path,
      store: name,
      engine: { name: engine, reason },
    })),
    options: { k, unitNorm, layers: layers ?? null, preconditioned, aggregate: aggregate ?? null },
    took,
    queries: answers.map(({ questions, trace }, i) => {
      const [first] = questions;
      const single = aggregate === undefined && first !== undefined;
      return {
        query: single ? first.query : questions.map(({ query }) => query),
        record: single ? first.record : null,
        ...trace,
        explanations: explanations[i],
      };
    }),
  };
}
