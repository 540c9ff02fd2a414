/** Makes a run of an index that Bergson wrote. */
import fs from 'node:fs';
import path from 'node:path';
import { ImportError, RunExistsError } from '../errors';
import { guardWrite } from '../store/disk';
import { parseInfo, STORE_FILES } from '../store/format';
import { sealStore } from '../store/seal';
import { VERSION } from '../version';
import { Run } from './run';
import { writeRunManifest } from './run-manifest';
import { runPaths, STATIC } from './run-paths';

/** What a Bergson index holds that a store has, too. */
const COPIED = [STORE_FILES.info, STORE_FILES.gradients, STORE_FILES.scales, STORE_FILES.offsets];

/**
 * Copies the index in `source`, a directory with `gradients.bin` and `info.json`, into a run at `directory`, and measures
 * norms and checksums in one pass. The run can be searched by rows; gradients of queries are projected otherwise here
 * than there, so that no model can ask it. It is renamed into place last.
 * @throws ImportError, RunExistsError, InvalidLayoutError, CorruptStoreError, DiskWriteError
 */
export async function importIndex(source: string, directory: string): Promise<Run> {
  if (fs.existsSync(directory)) throw new RunExistsError(directory);
  for (const name of [STORE_FILES.info, STORE_FILES.gradients]) {
    if (!fs.existsSync(path.join(source, name))) throw new ImportError(source, `it holds no ${name}`);
  }
  const info = path.join(source, STORE_FILES.info);
  const layout = parseInfo(fs.readFileSync(info, 'utf8'), info);
  const part = `${directory}.part`;
  const store = runPaths.store(part, STATIC);
  try {
    guardWrite(store, 0, () => {
      fs.rmSync(part, { recursive: true, force: true });
      fs.mkdirSync(store, { recursive: true });
      for (const name of COPIED) {
        const from = path.join(source, name);
        if (fs.existsSync(from)) fs.copyFileSync(from, path.join(store, name), fs.constants.COPYFILE_FICLONE);
      }
    });
    await sealStore(store);
    writeRunManifest(part, {
      created: new Date().toISOString(),
      versions: { 'tfjs-bergson': VERSION, tfjs: '', node: process.version },
      backend: '',
      examples: layout.examples ?? layout.rows,
      layers: [],
      coverage: { attributed: 0, trained: 0, layers: [] },
      projection: { projectionDim: 'exact', projectionType: 'rademacher', seed: 0 },
      includeBias: false,
      attention: {},
      dtype: layout.dtype,
      normalizer: 'none',
      scaledByLearningRate: false,
      accumulate: false,
      trackOrder: false,
      optimizer: null,
      losses: [],
      frozen: { attribute: 'examples', lossReduction: null, model: null },
      imported: path.resolve(source),
      state: 'complete',
      epochs: [],
      weightsDigest: null,
      failed: [],
    });
    guardWrite(directory, 0, () => {
      fs.renameSync(part, directory);
    });
  } catch (error) {
    fs.rmSync(part, { recursive: true, force: true });
    throw error;
  }
  return Run.open(directory);
}
