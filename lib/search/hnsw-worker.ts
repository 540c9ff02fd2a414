/**
 * The thread that holds an HNSW graph: builds it from a store, loads it, searches it. hnswlib-node works
 * synchronously, so none of it happens on the main thread. The only importer of hnswlib-node.
 *
 * The graph is built on inner products as they are. With few candidates its recall falls apart when norms
 * vary widely, so searches gather many, at least 128, and how many is settled by measuring (certificate.ts).
 * The exact reduction to nearest neighbors (one more number sqrt(M² - |x|²) a row, M the largest norm;
 * Bachrach et al. 2014, Neyshabur and Srebro 2015) crowds most rows around one pole: with 256 candidates
 * from 40,000 rows it found 0.99 of the answer against 0.98 where norms were alike, but 0.55 against 0.999
 * where they were heavy-tailed, as those of gradients are.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { parentPort } from 'node:worker_threads';
import type { HierarchicalNSW } from 'hnswlib-node';
import { HnswUnavailableError } from '../errors';
import { GradientStoreReader } from '../store/reader';
import { exactScores } from './exact-scores';
import type { Neighbor, Neighbors } from './gradient-index';
import { indexPaths, type HnswRecord, type HnswSettings } from './hnsw-format';
import { answerRequests } from './thread-side';
import { TopK } from './top-k';

/** What the main thread asks for; one answer each, `build` also reports progress. */
export type HnswRequest =
  | { readonly op: 'build'; readonly directory: string; readonly settings: HnswSettings }
  | { readonly op: 'load'; readonly directory: string; readonly record: HnswRecord }
  | {
      readonly op: 'search';
      readonly queries: readonly Float32Array[];
      readonly k: number;
      readonly ef: number;
    };

/** `build`: what the graph came out as. */
export type BuiltGraph = Pick<HnswRecord, 'dimension' | 'count' | 'bytes' | 'sha256'>;

/** `search`: null for a query whose graph search came back with fewer than k rows. */
export type Found = (Neighbors | null)[];

interface Loaded {
  readonly graph: HierarchicalNSW;
  readonly store: GradientStoreReader;
  readonly unitNorm: boolean;
}

const PROGRESS_ROWS = 250;
let loaded: Loaded | undefined;

function newGraph(dimension: number): HierarchicalNSW {
  try {
    // Loaded here and not on top: the package is optional, and its absence is an answer, not a crash.
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    const hnswlib = require('hnswlib-node') as typeof import('hnswlib-node');
    return new hnswlib.HierarchicalNSW('ip', dimension);
  } catch (cause) {
    throw new HnswUnavailableError(
      cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : 'unknown error',
    );
  }
}

function build(directory: string, settings: HnswSettings, report: (rows: number) => void): BuiltGraph {
  const store = GradientStoreReader.open(directory);
  const norms = store.norms().rows;
  const dimension = store.width;
  const graph = newGraph(dimension);
  graph.initIndex(Math.max(1, store.rowsWritten), settings.m, settings.efConstruction, settings.seed);
  const point = new Array<number>(dimension).fill(0);
  let count = 0;
  for (const block of store.blocks()) {
    for (let row = 0; row < block.count; row++) {
      const example = block.first + row;
      if (!store.isWritten(example)) continue;
      const norm = norms[example] ?? 0;
      const scale = settings.unitNorm && norm > 0 ? 1 / norm : 1;
      for (let i = 0; i < store.width; i++) point[i] = (block.rows[row * store.width + i] ?? 0) * scale;
      graph.addPoint(point, example);
      if (++count % PROGRESS_ROWS === 0) report(count);
    }
  }
  store.close();
  report(count);
  const files = indexPaths(directory);
  const temporary = `${files.graph}.tmp`;
  graph.writeIndexSync(temporary);
  // hnswlib does not notice a full disk; reading the file back does.
  newGraph(dimension).readIndexSync(temporary);
  fs.renameSync(temporary, files.graph);
  return { dimension, count, bytes: fs.statSync(files.graph).size, sha256: checksum(files.graph) };
}

function load(directory: string, record: HnswRecord): string {
  const file = indexPaths(directory).graph;
  const sha256 = checksum(file);
  if (sha256 !== record.sha256) return sha256; // hnswlib may crash on a damaged file: do not show it one
  const graph = newGraph(record.dimension);
  graph.readIndexSync(file);
  loaded = {
    graph,
    store: GradientStoreReader.open(directory),
    unitNorm: record.unitNorm,
  };
  return sha256;
}

function search(queries: readonly Float32Array[], k: number, ef: number): Found {
  if (!loaded) throw new Error('internal: search before load');
  const { graph } = loaded;
  graph.setEf(ef); // loading resets it to 10
  return queries.map((query) => {
    const highest = bestRows(query, k, ef, 1);
    const lowest = bestRows(query, k, ef, -1);
    return highest && lowest ? { highest, lowest } : null;
  });
}

/** The k rows with the highest (`sign` 1) or lowest (-1) scores among the `ef` the graph finds. */
function bestRows(query: Float32Array, k: number, ef: number, sign: 1 | -1): Neighbor[] | undefined {
  if (!loaded) return undefined;
  const { graph, store, unitNorm } = loaded;
  const norm = Math.sqrt(query.reduce((sum, value) => sum + value ** 2, 0));
  const scale = sign / norm; // the ranking stays, and float32 cannot overflow
  const point = Array.from(query, (value) => value * scale);
  const candidates = graph.searchKnn(point, ef).neighbors;
  if (candidates.length < k) return undefined;
  const best = new TopK(k, sign);
  const scoring = { queries: [query], ranges: [{ begin: 0, end: store.width }], unitNorm };
  const pairs = candidates.map((row) => ({ row, query: 0 }));
  const scores = exactScores(store.file(), scoring, pairs);
  candidates.forEach((example, i) => {
    best.push(example, scores[i] ?? 0);
  });
  return best.sorted();
}

function checksum(file: string): string {
  const hash = createHash('sha256');
  const chunk = new Uint8Array(1024 * 1024);
  const descriptor = fs.openSync(file, 'r');
  try {
    for (;;) {
      const count = fs.readSync(descriptor, chunk);
      if (count === 0) return hash.digest('hex');
      hash.update(chunk.subarray(0, count));
    }
  } finally {
    fs.closeSync(descriptor);
  }
}

if (parentPort) {
  answerRequests(parentPort, (request: HnswRequest, report): BuiltGraph | string | Found => {
    switch (request.op) {
      case 'build':
        return build(request.directory, request.settings, report);
      case 'load':
        return load(request.directory, request.record);
      case 'search':
        return search(request.queries, request.k, request.ef);
    }
  });
}
