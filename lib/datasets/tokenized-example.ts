/** What a data set is made into. */
import type { ExampleRecord } from '../run/example-records';

/** One row of a gradient store, before its gradient. */
export interface TokenizedExample {
  /** Its row in the store. */
  readonly id: number;
  readonly inputIds: Int32Array;
  /** [inputIds.length]: the token itself where the loss counts it, else -100. That of the first token is never used. */
  readonly labels: Int32Array;
  /** What people should see of it. */
  readonly record: ExampleRecord;
  /** By what its loss is multiplied: an advantage; 1 if absent. */
  readonly weight?: number;
}
