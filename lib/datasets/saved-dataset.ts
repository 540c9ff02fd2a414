/** Folders written by `datasets.save_to_disk`: Arrow files and a list of them. */
import fs from 'node:fs';
import path from 'node:path';
import { DatasetFormatError, UnknownSplitError } from '../errors';
import { openArrow } from './arrow';
import { concatenate, type RowSource } from './row-source';

/** Lists a data set's files, in order. */
const STATE = 'state.json';

/** Lists the data sets, by name, of a folder that holds several. */
const PARTS = 'dataset_dict.json';

/**
 * The rows of a folder that `save_to_disk` wrote; undefined if it is no such folder.
 *
 * @param split which data set is meant if there are several.
 * @throws DatasetFormatError, UnknownSplitError
 */
export function openSavedDataset(folder: string, split: string | undefined): RowSource | undefined {
  const parts = path.join(folder, PARTS);
  if (fs.existsSync(parts)) {
    const { splits } = readJson(parts) as { splits?: unknown };
    if (!isTextList(splits)) throw new DatasetFormatError(parts, '`splits`', 'expected a list of names');
    const chosen = split ?? (splits.length === 1 ? splits[0] : undefined);
    if (chosen === undefined || !splits.includes(chosen)) throw new UnknownSplitError(folder, chosen, splits);
    const part = openSavedDataset(path.join(folder, chosen), undefined);
    if (part === undefined) throw new DatasetFormatError(folder, `\`${chosen}\``, `it has no ${STATE}`);
    return part;
  }
  const state = path.join(folder, STATE);
  if (!fs.existsSync(state)) return undefined;
  const { _data_files: files, _split: own } = readJson(state) as { _data_files?: unknown; _split?: unknown };
  if (split !== undefined && split !== own)
    throw new UnknownSplitError(folder, split, typeof own === 'string' ? [own] : []);
  const names = Array.isArray(files)
    ? files.map((file: { filename?: unknown } | null) => file?.filename)
    : [];
  if (!isTextList(names) || names.length === 0)
    throw new DatasetFormatError(state, '`_data_files`', 'expected a list of files');
  return concatenate(names.map((name) => openArrow(path.join(folder, name))));
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new DatasetFormatError(file, 'as a whole', 'not JSON', { cause });
  }
}
