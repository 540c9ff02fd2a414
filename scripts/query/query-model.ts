/** The run's own model, which makes rows of inputs. Loads tfjs. */
import tf = require('@tensorflow/tfjs');
import type { Attributor } from '../../lib/attributor';
import { loadBackend } from '../../lib/backend';
import type { Run } from '../../lib/run/run';
import type { InputModel, InputRow } from './input-model';
import type { QueryInput } from './inputs';
import { loadSavedModel } from './saved-model';
import { toBatch, toBatches, type CompiledModel } from './tensors';

export class QueryModel implements InputModel {
  private constructor(private readonly compiled: CompiledModel) {}

  /** @throws SavedModelError, BackendUnavailableError */
  static async load(run: Run): Promise<QueryModel> {
    await loadBackend();
    return new QueryModel(await loadSavedModel(run));
  }

  /** The rows [width] of the gradients of several inputs, computed at once. @throws QueryInputError, ModelMismatchError */
  async rows(attributor: Attributor, inputs: readonly QueryInput[]): Promise<InputRow[]> {
    const batch = toBatches(this.compiled, inputs);
    try {
      const rows = await attributor.queryRows(this.compiled.model, batch);
      return rows.map((row, i) => ({ row, record: inputs[i]?.record ?? {}, truncatedTo: null }));
    } finally {
      tf.dispose([batch.xs, batch.ys]);
    }
  }

  /** The row [width] of an input's gradient. @throws QueryInputError, ModelMismatchError */
  async row(attributor: Attributor, input: QueryInput): Promise<InputRow> {
    const batch = toBatch(this.compiled, input);
    const [row] = await attributor.queryRows(this.compiled.model, batch);
    tf.dispose([batch.xs, batch.ys]);
    if (row === undefined) throw new Error('internal: a batch of one query gave no row');
    return { row, record: input.record, truncatedTo: null };
  }

  dispose(): void {
    this.compiled.model.dispose();
  }
}
