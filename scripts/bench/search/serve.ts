/** What scripts/bench/search.ts runs in a process of its own, so that its memory can be told: this package's search. */
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { openIndex } from '../../../lib/search/open-index';
import { ownPeak } from '../peak-memory';

/** Loads the store in argv[2], to be searched by the engine argv[3]; speaks as peers.py does. */
async function main(): Promise<void> {
  const [, , directory = '', engine] = process.argv;
  const start = performance.now();
  const opened = await openIndex(directory, { engine: engine === 'projected' ? 'projected' : 'exact' });
  say({ loaded: performance.now() - start });
  const bytes = fs.readFileSync(path.join(directory, 'queries.f32'));
  const numbers = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const { width } = opened.store;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const queries = Array.from({ length: Number(line) }, (_, i) =>
      numbers.subarray(i * width, (i + 1) * width),
    );
    const began = performance.now();
    const found = await opened.index.search(queries, { k: 10 });
    const ms = performance.now() - began;
    const of = (key: 'example' | 'score') => found.map(({ highest }) => highest.map((each) => each[key]));
    say({ ms, examples: of('example'), scores: of('score'), peakMegabytes: ownPeak() });
  }
  await opened.close();
}

function say(what: object): void {
  console.log(JSON.stringify(what));
}

void main();
