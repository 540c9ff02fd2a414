/** A store of preconditioned rows, H^-1/2 g, to be searched as it is: with unit norms, and through an index. */
import { AlreadyPreconditionedError } from '../errors';
import { storeChecksum } from '../search/hnsw-format';
import type { GradientStoreReader } from '../store/reader';
import { replaceDirectory, settleDirectory, successorOf } from '../store/replace-directory';
import { GradientStoreWriter } from '../store/writer';
import type { Progress } from './autocorrelation';
import { readPreconditioner, writePreconditioner } from './preconditioner-files';

/**
 * Writes the rows of `store`, multiplied by H^-1/2 of the preconditioner beside it, as the store `directory`, which has a
 * copy of the preconditioner for the queries. It replaces one of an earlier preconditioner; a kill at any moment leaves
 * that one, or none.
 * @throws AlreadyPreconditionedError, PreconditionerNotFoundError, IncompleteStoreError, DiskWriteError
 */
export async function bakeStore(
  store: GradientStoreReader,
  directory: string,
  onProgress?: Progress,
): Promise<void> {
  if (store.manifest?.preconditioned) throw new AlreadyPreconditionedError(store.directory);
  const sourceSha256 = storeChecksum(store);
  const { preconditioner, record } = readPreconditioner(store);
  settleDirectory(directory);
  const successor = successorOf(directory);
  const given = { overwrite: true, offsets: store.tokens };
  const writer = GradientStoreWriter.create(successor, store.layout, given);
  try {
    for (const { first, count, rows } of store.blocks()) {
      const examples = Int32Array.from({ length: count }, (_, i) => first + i);
      const held = examples.filter((example) => store.isWritten(example));
      const mapped = preconditioner.applyToBlock(rows, 'inverse-root');
      writer.write(held, held.length === count ? mapped : pick(mapped, held, first, store.width));
      onProgress?.(first + count, store.rows);
      await new Promise((resolve) => setImmediate(resolve)); // lets signals through
    }
    writePreconditioner(successor, preconditioner, record);
    const { damping, sha256 } = record;
    await writer.close({ preconditioned: { power: 'inverse-root', damping, sourceSha256, sha256 } });
  } finally {
    writer.abort();
    preconditioner.dispose();
  }
  replaceDirectory(directory);
}

function pick(rows: Float32Array, examples: Int32Array, first: number, width: number): Float32Array {
  const picked = new Float32Array(examples.length * width);
  examples.forEach((example, i) => {
    const start = (example - first) * width;
    picked.set(rows.subarray(start, start + width), i * width);
  });
  return picked;
}
