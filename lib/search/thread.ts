/** A worker thread that answers requests: one promise each. */
import path from 'node:path';
import type { Worker } from 'node:worker_threads';
import * as errors from '../errors';
import { startThread } from '../worker-thread';
import type { ThreadAnswer, ThreadFailure } from './thread-side';

interface Pending<Result> {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress?: (progress: number) => void;
}

/** Runs the worker in the file `name` beside this one; keeps the process alive only while an answer is owed. */
export class Thread<Request, Result> {
  private readonly worker: Worker;
  private readonly pending = new Map<number, Pending<Result>>();
  private nextId = 0;

  constructor(name: string) {
    this.worker = startThread(path.join(__dirname, name));
    this.worker.unref();
    this.worker.on('message', (answer: ThreadAnswer<Result>) => {
      this.settle(answer);
    });
    this.worker.on('error', (cause) => {
      this.failAll(
        new errors.SearchThreadError(cause instanceof Error ? cause.message : String(cause), { cause }),
      );
    });
    this.worker.on('exit', (code) => {
      this.failAll(new errors.SearchThreadError(`it ended with code ${code}`));
    });
  }

  /** Rejects with what the worker threw, or a {@link errors.SearchThreadError} when that is no error of this package. */
  ask(request: Request, onProgress?: (progress: number) => void): Promise<Result> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject, ...(onProgress && { onProgress }) });
      this.worker.ref();
      this.worker.postMessage({ id, request });
    });
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }

  private settle(answer: ThreadAnswer<Result>): void {
    const request = this.pending.get(answer.id);
    if (!request) return;
    if ('progress' in answer) {
      request.onProgress?.(answer.progress);
      return;
    }
    this.pending.delete(answer.id);
    if (this.pending.size === 0) this.worker.unref();
    if ('result' in answer) request.resolve(answer.result);
    else request.reject(revive(answer.failure));
  }

  private failAll(error: Error): void {
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
  }
}

/** The error that was thrown in the thread, of its own class again if that is one of this package's. */
function revive({ name, message, fields }: ThreadFailure): Error {
  const known = new Map<string, { prototype: unknown }>(Object.entries(errors)).get(name);
  if (known === undefined) return new errors.SearchThreadError(message);
  const error = new Error(message);
  Object.setPrototypeOf(error, known.prototype as object);
  return Object.assign(error, fields, { name });
}
