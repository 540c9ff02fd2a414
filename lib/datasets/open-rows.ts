/** Which format lies at a path, by names alone. */
import fs from 'node:fs';
import path from 'node:path';
import { UnknownDatasetFormatError, UnknownSplitError } from '../errors';
import { openCsv } from './csv';
import { openJsonl } from './jsonl';
import { openParquet } from './parquet';
import { concatenate, type RowSource } from './row-source';
import { openSavedDataset } from './saved-dataset';
import { openTextFiles } from './text-files';

/** How a file of each extension is opened. */
const FORMATS: Readonly<Record<string, (file: string) => RowSource>> = {
  '.jsonl': openJsonl,
  '.ndjson': openJsonl,
  '.json': openJsonl,
  '.csv': openCsv,
  '.parquet': openParquet,
};

/**
 * The rows at `location`: a file of a known extension, a folder written by `save_to_disk`, or a folder of files of one kind,
 * in the order of their names.
 *
 * @param split the part of a folder's data set that is meant: files named `train.jsonl` or `train-00000-of-00002.parquet`.
 * @throws UnknownDatasetFormatError, UnknownSplitError; DatasetFormatError
 */
export function openRows(location: string, split?: string): RowSource {
  const stats = fs.statSync(location, { throwIfNoEntry: false });
  if (stats === undefined) throw new UnknownDatasetFormatError(location, 'there is nothing there');
  if (stats.isDirectory()) return openSavedDataset(location, split) ?? openFolder(location, split);
  if (split !== undefined) throw new UnknownSplitError(location, split, []);
  return openFiles(path.dirname(location), [path.basename(location)]);
}

function openFolder(folder: string, split: string | undefined): RowSource {
  const files = fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => isData(file))
    .sort();
  if (files.length === 0) throw new UnknownDatasetFormatError(folder, 'it holds no data');
  if (split === undefined) return openFiles(folder, files);
  const part = files.filter((file) => partOf(file) === split);
  if (part.length === 0) throw new UnknownSplitError(folder, split, [...new Set(files.map(partOf))]);
  return openFiles(folder, part);
}

function isData(file: string): boolean {
  const extension = path.extname(file);
  return extension === '.txt' || extension in FORMATS;
}

/** `train` for `train.jsonl` and `train-00000-of-00002.parquet`. */
function partOf(file: string): string {
  return path.parse(file).name.replace(/-\d+-of-\d+$/, '');
}

function openFiles(folder: string, files: readonly string[]): RowSource {
  const extensions = [...new Set(files.map((file) => path.extname(file)))];
  const [extension = ''] = extensions;
  if (extensions.length > 1)
    throw new UnknownDatasetFormatError(folder, `it holds files of several kinds: ${extensions.join(', ')}`);
  if (extension === '.txt') return openTextFiles(folder, files);
  const open = FORMATS[extension];
  if (open === undefined)
    throw new UnknownDatasetFormatError(
      path.join(folder, files[0] ?? ''),
      `files ending in \`${extension}\` are of no known format`,
    );
  const sources = files.map((file) => open(path.join(folder, file)));
  return sources.length === 1 && sources[0] ? sources[0] : concatenate(sources);
}
