/** What a worker thread does with the requests of thread.ts. */
import type { MessagePort } from 'node:worker_threads';
import { BergsonError } from '../errors';

/** One answer to each request; progress may come before it. */
export type ThreadAnswer<Result> =
  | { readonly id: number; readonly progress: number }
  | { readonly id: number; readonly result: Result }
  | { readonly id: number; readonly failure: ThreadFailure };

/** An error on its way between threads, which would leave its class behind: `name` is that of a class of lib/errors. */
export interface ThreadFailure {
  readonly name: string;
  readonly message: string;
  readonly fields: object;
}

/** Answers every request that arrives at `port`, one after another. */
export function answerRequests(
  port: MessagePort,
  answer: (request: never, report: (progress: number) => void) => unknown,
): void {
  port.on('message', ({ id, request }: { id: number; request: never }) => {
    const post = (message: ThreadAnswer<unknown>) => {
      port.postMessage(message);
    };
    try {
      const report = (progress: number) => {
        post({ id, progress });
      };
      post({ id, result: answer(request, report) });
    } catch (error) {
      post({ id, failure: describe(error) });
    }
  });
}

function describe(error: unknown): ThreadFailure {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), fields: {} };
  const fields = error instanceof BergsonError ? Object.fromEntries(Object.entries(error)) : {};
  return { name: error.name, message: error.message, fields };
}
