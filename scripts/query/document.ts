/** What `bergson query --json` prints: one JSON document. */
import type { Attributor, TraceOptions } from '../../lib/attributor';
import type { Coverage } from '../../lib/capture/coverage';
import type { Trace } from '../../lib/query/trace';
import type { ExampleRecord } from '../../lib/run/example-records';
import type { RunManifest } from '../../lib/run/run-manifest';

export interface QueryDocument {
  readonly run: {
    readonly path: string;
    readonly state: RunManifest['state'];
    readonly examples: number | null;
    readonly coverage: Pick<Coverage, 'attributed' | 'trained'>;
  };
  readonly store: string;
  readonly engine: { readonly name: 'exact' | 'hnsw'; readonly reason: string };
  readonly options: {
    readonly k: number;
    readonly unitNorm: boolean;
    readonly layers: readonly string[] | null;
    /** What is preconditioned: rows of the store, queries, or neither. */
    readonly preconditioned: Attributor['preconditioned'];
  };
  readonly queries: readonly (DocumentedQuestion & Trace)[];
}

/** What was asked: a training example, or a place in a file. */
export interface DocumentedQuestion {
  readonly query: { readonly example: number } | { readonly input: string };
  readonly record: ExampleRecord | null;
}

export function toDocument(
  { run, store, engine, engineReason, preconditioned }: Attributor,
  { k, unitNorm = false, layers }: TraceOptions & { readonly k: number },
  queries: QueryDocument['queries'],
): QueryDocument {
  const { state, examples, coverage } = run.manifest;
  const { attributed, trained } = coverage;
  return {
    run: { path: run.path, state, examples, coverage: { attributed, trained } },
    store,
    engine: { name: engine, reason: engineReason },
    options: { k, unitNorm, layers: layers ?? null, preconditioned },
    queries,
  };
}
