/** What a run takes on disk, by what its files are for. */
import { readdirSync, statSync } from 'node:fs';
import { basename, join, sep } from 'node:path';

/** The first kind whose pattern a file's path matches is its kind. */
const KINDS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['gradients', /gradients\.bin$/],
  ['indexes', /\bindex\b/],
  ['norms and checksums', /(norms\.safetensors|written\.bin|store\.msgpack|info\.json|run\.msgpack)$/],
  ['training order', /training_order\.log$/],
  ['records of examples', /examples\.jsonl$/],
  ['model', /^model\//],
];

/** Bytes by kind, largest first. */
export function diskUse(directory: string): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const entry = statSync(join(directory, name));
    if (!entry.isFile()) continue;
    const path = name.split(sep).join('/');
    const kind = KINDS.find(([, pattern]) => pattern.test(path))?.[0] ?? basename(path);
    bytes.set(kind, (bytes.get(kind) ?? 0) + entry.size);
  }
  return new Map([...bytes].sort(([, a], [, b]) => b - a));
}
