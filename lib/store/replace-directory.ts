/**
 * Replaces a whole directory so that a kill at any moment leaves the old one or the new one. No platform can
 * rename a directory over a full one, so the old one is renamed away first; in between, readers find the
 * new one under the name it was built under.
 */
import fs from 'node:fs';
import path from 'node:path';
import { guardWrite, syncDirectory } from './disk';
import { STORE_FILES } from './format';

const has = (directory: string, file: string) => fs.existsSync(path.join(directory, file));

/** Where the successor of `directory` is built. */
export function successorOf(directory: string): string {
  return `${directory}.next`;
}

/** Where the store named `directory` is now: there, or in its finished successor mid-replacement. */
export function currentDirectory(directory: string): string {
  const next = successorOf(directory);
  if (!has(directory, STORE_FILES.info) && has(next, STORE_FILES.manifest)) return next;
  return directory;
}

/** Puts the finished successor of `directory` in its place. Throws DiskWriteError. */
export function replaceDirectory(directory: string): void {
  const old = `${directory}.old`;
  guardWrite(directory, 0, () => {
    if (has(directory, STORE_FILES.info)) {
      fs.rmSync(old, { recursive: true, force: true });
      fs.renameSync(directory, old);
    }
    fs.renameSync(successorOf(directory), directory);
    syncDirectory(path.dirname(directory));
    fs.rmSync(old, { recursive: true, force: true });
  });
}

/** Finishes or clears what a killed {@link replaceDirectory} left: call before building a successor. */
export function settleDirectory(directory: string): void {
  const next = successorOf(directory);
  if (currentDirectory(directory) === next) {
    replaceDirectory(directory);
    return;
  }
  guardWrite(directory, 0, () => {
    fs.rmSync(next, { recursive: true, force: true });
    fs.rmSync(`${directory}.old`, { recursive: true, force: true });
  });
}
