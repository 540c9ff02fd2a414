/** Which format lies at a path, by names alone. */
import fs from 'node:fs';
import path from 'node:path';
import { UnknownDatasetFormatError } from '../errors';
import { openJsonl } from './jsonl';
import { concatenate, type RowSource } from './row-source';
import { openTextFiles } from './text-files';

/** How a file of each extension is opened. */
const FORMATS: Readonly<Record<string, (file: string) => RowSource>> = {
  '.jsonl': openJsonl,
  '.ndjson': openJsonl,
  '.json': openJsonl,
};

/**
 * The rows at `location`: a file of a known extension, or a folder of files of one kind, in the order of their names.
 *
 * @param split the part of a folder's data set that is meant: files named `train.jsonl` or `train-00000-of-00002.parquet`.
 * @throws UnknownDatasetFormatError
 */
export function openRows(location: string, split?: string): RowSource {
  const stats = fs.statSync(location, { throwIfNoEntry: false });
  if (stats === undefined) throw new UnknownDatasetFormatError(location, 'there is nothing there');
  if (stats.isDirectory()) return openFolder(location, split);
  if (split !== undefined)
    throw new UnknownDatasetFormatError(location, `it is one file, which has no part named \`${split}\``);
  return openFiles(path.dirname(location), [path.basename(location)]);
}

function openFolder(folder: string, split: string | undefined): RowSource {
  const files = fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => isData(file) && (split === undefined || isPart(path.parse(file).name, split)))
    .sort();
  if (files.length > 0) return openFiles(folder, files);
  const what = split === undefined ? 'it holds no data' : `none of its data files is named \`${split}\``;
  throw new UnknownDatasetFormatError(folder, what);
}

function isData(file: string): boolean {
  const extension = path.extname(file);
  return extension === '.txt' || extension in FORMATS;
}

function isPart(name: string, split: string): boolean {
  return name === split || name.startsWith(`${split}-`);
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
