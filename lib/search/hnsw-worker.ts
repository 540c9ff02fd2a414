/**
 * The thread that holds an HNSW graph: builds it from a store, loads it, searches it. hnswlib-node works
 * synchronously, so none of it happens on the main thread. The only importer of hnswlib-node.
 *
 * Its points are the projected rows of the index beside it, and it is built on inner products as they are. With few
 * candidates its recall falls apart when norms vary widely, so searches gather many, at least 128, and how many is
 * settled by measuring (certificate.ts). The exact reduction to nearest neighbors (one more number sqrt(M² - |x|²) a row,
 * M the largest norm; Bachrach et al. 2014, Neyshabur and Srebro 2015) crowds most rows around one pole: with 256
 * candidates from 40,000 rows it found 0.99 of the answer against 0.98 where norms were alike, but 0.55 against 0.999
 * where they were heavy-tailed, as those of gradients are.
 */
import fs from 'node:fs';
import { parentPort } from 'node:worker_threads';
import type { HierarchicalNSW } from 'hnswlib-node';
import { HnswUnavailableError } from '../errors';
import { GradientStoreReader } from '../store/reader';
import { decodeFloat16 } from '../store/float16';
import { sha256File } from '../store/record-file';
import { readRowBytes } from '../store/row-file';
import { exactScores } from './exact-scores';
import type { Neighbor, Neighbors } from './gradient-index';
import { indexPaths, type HnswRecord, type HnswSettings } from './hnsw-format';
import type { ProjectedRecord } from './projected-format';
import { loadProjection, project } from './projection';
import { answerRequests } from './thread-side';
import { TopK } from './top-k';

/** What the main thread asks for; one answer each, `build` also reports progress. */
export type HnswRequest =
  | {
      readonly op: 'build';
      readonly directory: string;
      readonly settings: HnswSettings;
      readonly projected: ProjectedRecord;
    }
  | {
      readonly op: 'load';
      readonly directory: string;
      readonly record: HnswRecord;
      readonly projected: ProjectedRecord;
    }
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
  readonly axes: readonly Float32Array[];
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

function build(
  directory: string,
  settings: HnswSettings,
  projected: ProjectedRecord,
  report: (rows: number) => void,
): BuiltGraph {
  const { dimension } = projected;
  const { file, examples } = loadProjection(directory, projected);
  const graph = newGraph(dimension);
  graph.initIndex(Math.max(1, file.rows), settings.m, settings.efConstruction, settings.seed);
  const point = new Array<number>(dimension).fill(0);
  const halves = new Uint16Array(dimension);
  const values = new Float32Array(dimension);
  let count = 0;
  for (const example of examples) {
    readRowBytes(file, count, new Uint8Array(halves.buffer));
    decodeFloat16(halves, values);
    values.forEach((value, i) => (point[i] = value));
    graph.addPoint(point, example);
    if (++count % PROGRESS_ROWS === 0) report(count);
  }
  fs.closeSync(file.descriptor);
  report(count);
  const files = indexPaths(directory);
  const temporary = `${files.graph}.tmp`;
  graph.writeIndexSync(temporary);
  // hnswlib does not notice a full disk; reading the file back does.
  newGraph(dimension).readIndexSync(temporary);
  fs.renameSync(temporary, files.graph);
  return { dimension, count, bytes: fs.statSync(files.graph).size, sha256: sha256File(files.graph) };
}

function load(directory: string, record: HnswRecord, projected: ProjectedRecord): string {
  const file = indexPaths(directory).graph;
  const sha256 = sha256File(file);
  if (sha256 !== record.sha256) return sha256; // hnswlib may crash on a damaged file: do not show it one
  const graph = newGraph(record.dimension);
  graph.readIndexSync(file);
  loaded = {
    graph,
    store: GradientStoreReader.open(directory),
    axes: loadAxes(directory, projected),
    unitNorm: projected.unitNorm,
  };
  return sha256;
}

function loadAxes(directory: string, projected: ProjectedRecord): readonly Float32Array[] {
  const { axes, file } = loadProjection(directory, projected);
  fs.closeSync(file.descriptor);
  return axes;
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
  const { graph, store, axes, unitNorm } = loaded;
  const projected = project(query, axes);
  const norm = Math.hypot(...projected);
  if (norm === 0) return undefined;
  const scale = sign / norm; // the ranking stays, and float32 cannot overflow
  const point = Array.from(projected, (value) => value * scale);
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

if (parentPort) {
  answerRequests(parentPort, (request: HnswRequest, report): BuiltGraph | string | Found => {
    switch (request.op) {
      case 'build':
        return build(request.directory, request.settings, request.projected, report);
      case 'load':
        return load(request.directory, request.record, request.projected);
      case 'search':
        return search(request.queries, request.k, request.ef);
    }
  });
}
