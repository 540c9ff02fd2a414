/** Reads tar archives as npm makes them. */

export interface TarFile {
  readonly name: string;
  readonly content: Buffer;
}

const BLOCK = 512;

/** The plain files of an archive, in its order. POSIX.1-1988 (ustar): a header of one block, then whole blocks of content. */
export function readTar(archive: Buffer): TarFile[] {
  const files: TarFile[] = [];
  for (let at = 0; at + BLOCK <= archive.length && archive[at] !== 0;) {
    const field = (start: number, length: number) =>
      archive.toString('utf8', at + start, at + start + length).replace(/\0.*$/s, '');
    const size = parseInt(field(124, 12), 8);
    const [kind, prefix] = [field(156, 1), field(345, 155)];
    const content = archive.subarray(at + BLOCK, at + BLOCK + size);
    const name = prefix === '' ? field(0, 100) : `${prefix}/${field(0, 100)}`;
    if (kind === '0' || kind === '') files.push({ name, content });
    at += BLOCK * (1 + Math.ceil(size / BLOCK));
  }
  return files;
}
