/** What makes rows of inputs. */
import type { Attributor } from '../../lib/attributor';
import type { ExampleRecord } from '../../lib/run/example-records';
import type { QueryInput } from './inputs';

/** The row of an input, and what to show of it. */
export interface InputRow {
  /** The input's gradient, [width]. */
  readonly row: Float32Array;
  readonly record: ExampleRecord;
  /** Of a text that was longer than the run's examples may be, how many tokens were kept; else null. */
  readonly truncatedTo: number | null;
}

export interface InputModel {
  /** @throws QueryInputError, ModelMismatchError */
  row(attributor: Attributor, input: QueryInput): Promise<InputRow>;
  /** Those of several inputs. @throws QueryInputError, ModelMismatchError */
  rows(attributor: Attributor, inputs: readonly QueryInput[]): Promise<InputRow[]>;
  /** Frees the model's weights. */
  dispose(): void;
}
