/** The arguments of `bergson query`. */
import type { Aggregate } from '../../lib/query/aggregate';
import type { ScoringArguments } from './scoring-options';

export interface QueryArguments extends ScoringArguments {
  readonly run: string[];
  readonly example?: number[];
  readonly text?: string[];
  readonly generate: boolean;
  readonly 'max-tokens': number;
  readonly input?: string;
  readonly conversation?: string;
  readonly row?: number[];
  readonly k?: number;
  readonly lowest: boolean;
  readonly epochs: boolean;
  readonly aggregate?: Aggregate;
  readonly store?: string[];
  readonly 'other-weights': boolean;
  readonly engine: 'auto' | 'exact' | 'projected' | 'hnsw';
  readonly explain?: number;
  readonly tokens: boolean;
  readonly pictures: boolean;
  readonly csv?: string;
  readonly json: boolean;
}
