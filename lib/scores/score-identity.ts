/** What is scored by what, in short. */
import { createHash } from 'node:crypto';

/** A sha256 of the queries' numbers and of `facts`, which are JSON. */
export function scoreIdentity(
  queries: readonly Float32Array[],
  facts: Readonly<Record<string, unknown>>,
): string {
  const hash = createHash('sha256').update(JSON.stringify(facts));
  for (const { buffer, byteOffset, byteLength } of queries)
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest('hex');
}
