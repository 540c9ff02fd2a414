/** Makes a run of an index that Bergson wrote. */
import fs from 'node:fs';
import path from 'node:path';
import { ImportError, RunExistsError } from '../errors';
import { guardWrite } from '../store/disk';
import { parseInfo, STORE_FILES } from '../store/format';
import { sealStore } from '../store/seal';
import type { StoreLayout } from '../store/format';
import { VERSION } from '../version';
import type { describeModelOfIndex } from './model-of-index';
import { Run } from './run';
import { writeRunManifest, type RunManifest } from './run-manifest';
import { runPaths, STATIC } from './run-paths';

/** What a Bergson index holds that a store has, too. */
const COPIED = [STORE_FILES.info, STORE_FILES.gradients, STORE_FILES.scales, STORE_FILES.offsets];

export interface ImportOptions {
  /** Folder of the language model that the index is of, in Hugging Face's format: then it can be asked. Needs a backend. */
  readonly model?: string;
}

/**
 * Copies the index in `source`, a directory with `gradients.bin` and `info.json`, into a run at `directory`, and measures
 * norms and checksums in one pass. The run can be searched by rows, and with `model` by whatever gradients of that are, where
 * the index says how it was made: by Rademacher matrices a module, which follow from names, and undivided. It is
 * renamed into place last.
 * @throws ImportError, ImportModelError, RunExistsError, InvalidLayoutError, CorruptStoreError, DiskWriteError
 */
export async function importIndex(
  source: string,
  directory: string,
  { model }: ImportOptions = {},
): Promise<Run> {
  if (fs.existsSync(directory)) throw new RunExistsError(directory);
  for (const name of [STORE_FILES.info, STORE_FILES.gradients]) {
    if (!fs.existsSync(path.join(source, name))) throw new ImportError(source, `it holds no ${name}`);
  }
  const info = path.join(source, STORE_FILES.info);
  const layout = parseInfo(fs.readFileSync(info, 'utf8'), info);
  const described = model === undefined ? WITHOUT_MODEL : await describeModelled(source, layout, model);
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
      examples: layout.examples ?? layout.rows,
      dtype: layout.dtype,
      normalizer: 'none',
      scaledByLearningRate: false,
      accumulate: false,
      trackOrder: false,
      optimizer: null,
      imported: path.resolve(source),
      state: 'complete',
      epochs: [],
      failed: [],
      ...described,
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

/** What a run says of a model that nobody named. */
const WITHOUT_MODEL = {
  backend: '',
  layers: [],
  coverage: { attributed: 0, trained: 0, layers: [] },
  projection: { projectionDim: 'exact', projectionType: 'rademacher', projectionTarget: 'module', seed: 0 },
  includeBias: false,
  attention: {},
  losses: [],
  frozen: { attribute: 'examples', lossReduction: null, model: null },
  weightsDigest: null,
} as const satisfies Partial<RunManifest>;

/** Loads tfjs. */
function describeModelled(source: string, layout: StoreLayout, model: string) {
  const lazy = require('./model-of-index') as { describeModelOfIndex: typeof describeModelOfIndex };
  return lazy.describeModelOfIndex(source, layout, model);
}
