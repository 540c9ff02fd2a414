/** What `bergson query --json` prints: one JSON document. */
import type { Coverage } from '../../lib/capture/coverage';
import type { Aggregate } from '../../lib/query/aggregate';
import type { Trace } from '../../lib/query/trace';
import type { ExampleRecord } from '../../lib/run/example-records';
import type { RunManifest } from '../../lib/run/run-manifest';
import type { AskedOf } from './question';
import type { Answer, AskOptions, Explanation, QuerySession } from './session';

export interface QueryDocument {
  readonly run: {
    readonly path: string;
    readonly state: RunManifest['state'];
    readonly examples: number | null;
    readonly coverage: Pick<Coverage, 'attributed' | 'trained'>;
  };
  readonly store: string;
  readonly engine: { readonly name: 'exact' | 'projected' | 'hnsw'; readonly reason: string };
  readonly options: {
    readonly k: number;
    readonly unitNorm: boolean;
    readonly layers: readonly string[] | null;
    /** What is preconditioned: rows of the store, queries, or neither. */
    readonly preconditioned: QuerySession['attributor']['preconditioned'];
    readonly aggregate: Aggregate | null;
  };
  readonly queries: readonly DocumentedAnswer[];
}

interface DocumentedAnswer extends Trace {
  /** Where several queries are answered as one, all of them. */
  readonly query: AskedOf | readonly AskedOf[];
  readonly record: ExampleRecord | null;
  /** Only there if an explanation was asked for. */
  readonly explanation?: Explanation | undefined;
}

/** `explanations` are of the answers, in their order. */
export function toDocument(
  { attributor: { run, store, engine, engineReason, preconditioned } }: QuerySession,
  { k, unitNorm = false, layers, aggregate }: AskOptions,
  answers: readonly Answer[],
  explanations: readonly Explanation[],
): QueryDocument {
  const { state, examples, coverage } = run.manifest;
  const { attributed, trained } = coverage;
  return {
    run: { path: run.path, state, examples, coverage: { attributed, trained } },
    store,
    engine: { name: engine, reason: engineReason },
    options: { k, unitNorm, layers: layers ?? null, preconditioned, aggregate: aggregate ?? null },
    queries: answers.map(({ questions, trace }, i) => {
      const [first] = questions;
      const single = aggregate === undefined && first !== undefined;
      return {
        query: single ? first.query : questions.map(({ query }) => query),
        record: single ? first.record : null,
        ...trace,
        explanation: explanations[i],
      };
    }),
  };
}
