/** A question to a run: a row, and what to call it. */
import type { ExampleRecord } from '../../lib/run/example-records';
import type { QueryInput } from './inputs';

/** What was asked: a training example, or a place in a file; of a text that was cut off, after how many tokens. */
export type AskedOf =
  { readonly example: number } | { readonly input: string; readonly truncatedTo?: number };

export interface Question {
  readonly query: AskedOf;
  /** In words. */
  readonly title: string;
  readonly record: ExampleRecord | null;
  /** What it was made of; undefined for a training example. */
  readonly input?: QueryInput;
  /** The gradient that asks, [width]. */
  readonly row: Float32Array;
}
