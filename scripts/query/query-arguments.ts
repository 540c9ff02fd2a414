/** The arguments of `bergson query`. */
import type { Aggregate } from '../../lib/query/aggregate';

export interface QueryArguments {
  readonly run: string[];
  readonly example?: number[];
  readonly text?: string[];
  readonly generate: boolean;
  readonly 'max-tokens': number;
  readonly input?: string;
  readonly model?: string;
  readonly row?: number[];
  readonly k: number;
  readonly layers?: string[];
  readonly lowest: boolean;
  readonly epochs: boolean;
  readonly aggregate?: Aggregate;
  readonly 'unit-norm': boolean;
  readonly precondition: boolean;
  readonly store?: string[];
  readonly 'other-weights': boolean;
  readonly engine: 'auto' | 'exact' | 'projected' | 'hnsw';
  readonly explain?: number;
  readonly pictures: boolean;
  readonly csv?: string;
  readonly json: boolean;
}
