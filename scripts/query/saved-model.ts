/** Loads the model that a run saved, ready to compute its loss. */
import fs from 'node:fs';
import { ImportedRunError } from '../../lib/errors';
import { loadModel } from '../../lib/run/model-files';
import type { Run } from '../../lib/run/run';
import { runPaths } from '../../lib/run/run-paths';
import { SavedModelError } from './errors';
import type { CompiledModel } from './tensors';

/** The model at the end of `run`, compiled with its losses. Needs a backend. @throws SavedModelError, ImportedRunError */
export async function loadSavedModel(run: Run): Promise<CompiledModel> {
  const { imported, frozen } = run.manifest;
  if (imported !== undefined && frozen?.model == null) throw new ImportedRunError(run.path, imported);
  const elsewhere = frozen?.model ?? null;
  if (elsewhere !== null)
    throw new SavedModelError(
      run.path,
      `it is the language model in ${elsewhere.path}, of which the run has no copy`,
    );
  const directory = runPaths.model(run.path);
  if (!fs.existsSync(directory)) {
    throw new SavedModelError(run.path, 'none was saved, because training did not finish');
  }
  const losses = run.manifest.losses.map((loss, output) => {
    if (loss === null)
      throw new SavedModelError(run.path, `its loss of output ${output} has no name, it is a function`);
    return loss;
  });
  try {
    const model = await loadModel(directory);
    // Nothing is trained here: any optimizer will do.
    model.compile({ optimizer: 'sgd', loss: [...losses] });
    return { model, losses };
  } catch (cause) {
    throw new SavedModelError(run.path, (cause as Error).message.split('\n', 1)[0] ?? '', { cause });
  }
}
