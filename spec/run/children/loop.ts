/** Trains by a loop for far longer than any spec waits, printing every step that has been recorded. */
import { loadBackend, TrainingRecorder } from '../../../callbacks';
import { denseCase } from '../../support/small-models';

async function main(): Promise<void> {
  await loadBackend();
  const model = denseCase.build();
  const { xs, ys } = denseCase.data(4);
  const recorder = TrainingRecorder.start(model, { path: process.argv[2] ?? '', trackOrder: true });
  recorder.beginEpoch(0);
  for (let step = 0; ; step++) {
    const ids = [0, 1, 2, 3].map((i) => 4 * (step % 100) + i);
    await recorder.step(ids, () => model.trainOnBatch(xs, ys));
    process.stdout.write(`step ${step} recorded\n`);
  }
}

void main();
