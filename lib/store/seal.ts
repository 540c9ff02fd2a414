/** Turns what a writer left on disk into a complete store: norms, checksums, and last the manifest. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { CorruptStoreError } from '../errors';
import { bytesOf, guardWrite, writeFileAtomic } from './disk';
import {
  STORE_FILES,
  columnOffsets,
  gradientBytes,
  parseInfo,
  rowWidth,
  rowsPerBlock,
  type StoreLayout,
} from './format';
import { writeManifest, type FileChecksum, type PreconditionedRows } from './manifest';
import { emptyNorms, measureNorms, writeNorms } from './norms';
import { allocateRows, decodeRows } from './row-codec';
import { readScales } from './row-scales';
import { sha256 } from './record-file';

/** What a manifest says beyond what can be read from the store's files. */
export interface SealOptions {
  readonly rewritten?: number;
  readonly sources?: readonly string[];
  readonly preconditioned?: PreconditionedRows | null;
  readonly energyLost?: number | null;
}

/**
 * Completes the store in `directory`: one pass over its rows for norms and checksums, then the manifest.
 * Rows never written stay so. Works on a store whose process was killed, and on a plain Bergson index, all
 * of whose rows count as written. Throws CorruptStoreError, DiskWriteError, InvalidLayoutError.
 */
export async function sealStore(directory: string, options: SealOptions = {}): Promise<void> {
  const { rewritten = 0, sources = [], preconditioned = null, energyLost = null } = options;
  const at = (name: string) => path.join(directory, name);
  const layout = parseInfo(fs.readFileSync(at(STORE_FILES.info), 'utf8'), at(STORE_FILES.info));
  if (!fs.existsSync(at(STORE_FILES.written))) {
    writeFileAtomic(at(STORE_FILES.written), [new Uint8Array(layout.rows).fill(1)]);
  } else cutToSize(at(STORE_FILES.gradients), gradientBytes(layout));
  cutToSize(at(STORE_FILES.written), layout.rows);
  const written = fs.readFileSync(at(STORE_FILES.written));
  const scaled = fs.existsSync(at(STORE_FILES.scales));
  if (scaled) cutToSize(at(STORE_FILES.scales), 4 * layout.rows);
  const gradients = await measureGradients(directory, layout, written);
  const files: Record<string, FileChecksum> = { [STORE_FILES.gradients]: gradients };
  const others = [
    ...(scaled ? [STORE_FILES.scales] : []),
    ...(layout.examples === undefined ? [] : [STORE_FILES.offsets]),
  ];
  for (const name of [STORE_FILES.info, STORE_FILES.written, STORE_FILES.norms, ...others]) {
    const bytes = fs.readFileSync(at(name));
    files[name] = { bytes: bytes.length, sha256: sha256(bytes) };
  }
  const rowsWritten = written.reduce((sum, flag) => sum + flag, 0);
  writeManifest(directory, { layout, files, rowsWritten, rewritten, sources, preconditioned, energyLost });
}

/** Removes what a writer killed while it made room, or gave it back, left at the end. */
function cutToSize(file: string, bytes: number): void {
  const { size } = fs.statSync(file);
  if (size < bytes) throw new CorruptStoreError(file, 'bytes', bytes, size);
  if (size > bytes)
    guardWrite(file, bytes, () => {
      fs.truncateSync(file, bytes);
    });
}

async function measureGradients(
  directory: string,
  layout: StoreLayout,
  written: Uint8Array,
): Promise<FileChecksum> {
  const file = path.join(directory, STORE_FILES.gradients);
  const scalesFile = path.join(directory, STORE_FILES.scales);
  const scales = fs.existsSync(scalesFile) ? readScales(scalesFile, layout.rows) : undefined;
  const offsets = columnOffsets(layout);
  const layers = layout.columns.length;
  const norms = emptyNorms(layout.rows, layers);
  const perBlock = rowsPerBlock(layout);
  const width = rowWidth(layout);
  const stored = allocateRows(layout, Math.min(perBlock, layout.rows));
  const decoded = new Float32Array(layout.dtype === 'float32' ? 0 : stored.length);
  const expected = gradientBytes(layout);
  const hash = createHash('sha256');
  const handle = await fs.promises.open(file, 'r');
  try {
    const { size } = await handle.stat();
    if (size !== expected) throw new CorruptStoreError(file, 'bytes', expected, size);
    for (let first = 0; first < layout.rows; first += perBlock) {
      const count = Math.min(perBlock, layout.rows - first);
      const block = stored.subarray(0, count * width);
      const bytes = bytesOf(block);
      let done = 0;
      while (done < bytes.length) {
        const { bytesRead } = await handle.read(bytes, done, bytes.length - done, null);
        if (bytesRead === 0) throw new CorruptStoreError(file, 'bytes', expected, size - bytes.length + done);
        done += bytesRead;
      }
      hash.update(bytes);
      measureNorms(
        decodeRows(block, decoded, scales?.subarray(first, first + count)),
        first,
        count,
        offsets,
        norms,
      );
    }
  } finally {
    await handle.close();
  }
  written.forEach((flag, row) => {
    if (flag === 1) return; // a killed process may have left half a row
    norms.rows[row] = 0;
    norms.layers.fill(0, row * layers, (row + 1) * layers);
  });
  writeNorms(path.join(directory, STORE_FILES.norms), norms, layers);
  return { bytes: expected, sha256: hash.digest('hex') };
}
