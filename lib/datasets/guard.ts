/** Failures of other libraries as errors that say where. */
import { DatasetFormatError } from '../errors';

/** What `read` gives. @throws DatasetFormatError, of `where` in `file`, if it fails. */
export async function guard<T>(file: string, where: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DatasetFormatError(file, where, reason, { cause });
  }
}
