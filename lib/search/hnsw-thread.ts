/** Talks to the thread of hnsw-worker.ts: one promise a request. */
import path from 'node:path';
import { HnswFailedError, HnswUnavailableError } from '../errors';
import { startThread } from '../worker-thread';
import type { BuiltGraph, Found, HnswAnswer, HnswRequest } from './hnsw-worker';

interface Pending {
  readonly resolve: (result: BuiltGraph | string | Found) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress?: (rows: number) => void;
}

/** A worker thread that keeps the process alive only while it owes an answer. */
export class HnswThread {
  private readonly worker = startThread(path.join(__dirname, 'hnsw-worker'));
  private readonly pending = new Map<number, Pending>();
  private nextId = 0;

  constructor() {
    this.worker.unref();
    this.worker.on('message', (answer: HnswAnswer) => {
      this.settle(answer);
    });
    this.worker.on('error', (cause) => {
      this.failAll(new HnswFailedError(cause instanceof Error ? cause.message : String(cause), { cause }));
    });
    this.worker.on('exit', (code) => {
      this.failAll(new HnswFailedError(`its thread ended with code ${code}`));
    });
  }

  /** Throws {@link HnswUnavailableError}, {@link HnswFailedError}. */
  build(request: HnswRequest & { op: 'build' }, onProgress?: (rows: number) => void): Promise<BuiltGraph> {
    return this.ask(request, onProgress) as Promise<BuiltGraph>;
  }

  /** Resolves to the sha256 of hnsw.bin; the graph is loaded only when that is the record's. */
  load(request: HnswRequest & { op: 'load' }): Promise<string> {
    return this.ask(request) as Promise<string>;
  }

  search(request: HnswRequest & { op: 'search' }): Promise<Found> {
    return this.ask(request) as Promise<Found>;
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }

  private ask(
    request: HnswRequest,
    onProgress?: (rows: number) => void,
  ): Promise<BuiltGraph | string | Found> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject, ...(onProgress && { onProgress }) });
      this.worker.ref();
      this.worker.postMessage({ id, request });
    });
  }

  private settle(answer: HnswAnswer): void {
    const request = this.pending.get(answer.id);
    if (!request) return;
    if ('progress' in answer) {
      request.onProgress?.(answer.progress);
      return;
    }
    this.pending.delete(answer.id);
    if (this.pending.size === 0) this.worker.unref();
    if ('result' in answer) request.resolve(answer.result);
    else if (answer.unavailable) request.reject(new HnswUnavailableError(answer.failure));
    else request.reject(new HnswFailedError(answer.failure));
  }

  private failAll(error: Error): void {
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
  }
}
