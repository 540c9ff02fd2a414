/** Collects the gradients of a frozen model, printing each batch that is done. A last argument names the batch to stop in. */
import { collectGradients, loadBackend, type LossBatch } from '../../../callbacks';
import { denseCase } from '../../support/small-models';
import { BATCHES, lossBatches } from '../frozen-model';

async function main(): Promise<void> {
  await loadBackend();
  const [path = '', hangAt] = process.argv.slice(2);
  const model = denseCase.build();
  let done = 0;
  async function* batches(): AsyncGenerator<LossBatch> {
    let batch = 0;
    for (const each of lossBatches(model, BATCHES)) {
      if (String(batch++) === hangAt) await new Promise((resolve) => setTimeout(resolve, 60_000));
      yield each;
    }
  }
  const onBatch = () => process.stdout.write(`batch ${done++} done\n`);
  await collectGradients(model, batches(), { path, index: false, onBatch });
}

void main();
