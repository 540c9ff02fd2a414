/** Scans a store with several threads, which take blocks as they come; the answer does not depend on how many. */
import os from 'node:os';
import type { QueryCandidates, ScanTask } from './scan';
import { blockCount, scanBlocks } from './scan';
import { Thread } from './thread';

/** More threads than this wait for memory, not for a processor. */
const MOST_THREADS = 8;

/** Multiplications that are done before a thread has started. */
const FEW_MULTIPLICATIONS = 2e7;

/** Multiplications of a sketch, and the share of its rows, after which threads take over: most scans of one are over before. */
const SKETCH_MULTIPLICATIONS = 2e8;
const LARGEST_SHARE = 1 / 8;

/** Threads, started when they are first worth it. */
export class ScanThreads {
  private threads: Thread<ScanTask, QueryCandidates[]>[] = [];

  /** `count` threads: 0 for none, which scans in the calling one; by default as many as there are processors. */
  constructor(private readonly count?: number) {}

  /** The candidates that each thread found. Throws CorruptStoreError, NonFiniteValueError, SearchThreadError. */
  async scan(task: Omit<ScanTask, 'nextBlock'>): Promise<QueryCandidates[][]> {
    const shared = { ...task, nextBlock: new Int32Array(new SharedArrayBuffer(4)) };
    const blocks = blockCount(task);
    const count = Math.min(this.threadsFor(task), blocks);
    if (count === 0) return [await scanHere(shared)];
    const begun: QueryCandidates[][] = [];
    if (task.sketch) {
      const share = SKETCH_MULTIPLICATIONS / multiplications(task);
      begun.push(await scanHere(shared, Math.ceil(Math.min(share, LARGEST_SHARE) * blocks)));
      if (Atomics.load(shared.nextBlock, 0) >= blocks) return begun;
    }
    while (this.threads.length < count) this.threads.push(new Thread('scan-worker'));
    // All have to have finished, also when one fails: they read from a file that is closed afterwards.
    const asked = this.threads.slice(0, count).map((thread) => thread.ask(shared));
    const outcomes = await Promise.allSettled(asked);
    const found = outcomes.map((outcome) => {
      if (outcome.status === 'rejected') throw outcome.reason;
      return outcome.value;
    });
    return [...begun, ...found];
  }

  async close(): Promise<void> {
    const { threads } = this;
    this.threads = [];
    await Promise.all(threads.map((thread) => thread.close()));
  }

  private threadsFor(task: Omit<ScanTask, 'nextBlock'>): number {
    if (this.count !== undefined) return this.count;
    if (multiplications(task) < FEW_MULTIPLICATIONS) return 0;
    return Math.min(os.availableParallelism(), MOST_THREADS);
  }
}

function multiplications({ file, queries }: Pick<ScanTask, 'file' | 'queries'>): number {
  return file.rows * file.width * queries.length;
}

async function scanHere(task: ScanTask, limit?: number): Promise<QueryCandidates[]> {
  const scan = scanBlocks(task, limit);
  for (;;) {
    const { done, value } = scan.next();
    if (done === true) return value;
    await nextTurn(); // a long scan must not hold up everything else in the process
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
