/** A thread that takes part in scans. */
import { parentPort } from 'node:worker_threads';
import { answerRequests } from './thread-side';
import { scanBlocks, type ScanTask } from './scan';

if (parentPort) {
  answerRequests(parentPort, (task: ScanTask) => {
    const scan = scanBlocks(task);
    for (;;) {
      const { done, value } = scan.next();
      if (done === true) return value;
    }
  });
}
