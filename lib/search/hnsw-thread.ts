/** Talks to the thread of hnsw-worker.ts. */
import type { BuiltGraph, Found, HnswRequest } from './hnsw-worker';
import { Thread } from './thread';

/** A worker thread that holds one graph. Throws HnswUnavailableError where hnswlib-node does not load. */
export class HnswThread {
  private readonly thread = new Thread<HnswRequest, BuiltGraph | string | Found>('hnsw-worker');

  build(request: HnswRequest & { op: 'build' }, onProgress?: (rows: number) => void): Promise<BuiltGraph> {
    return this.thread.ask(request, onProgress) as Promise<BuiltGraph>;
  }

  /** Resolves to the sha256 of hnsw.bin; the graph is loaded only when that is the record's. */
  load(request: HnswRequest & { op: 'load' }): Promise<string> {
    return this.thread.ask(request) as Promise<string>;
  }

  search(request: HnswRequest & { op: 'search' }): Promise<Found> {
    return this.thread.ask(request) as Promise<Found>;
  }

  close(): Promise<void> {
    return this.thread.close();
  }
}
