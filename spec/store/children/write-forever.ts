/** Writes versioned rows into the store argv[2] until it is killed, each example over and over. */
import { GradientStoreWriter } from '../../../lib/store/writer';

const ROWS = 400;
const WIDTH = 3000;

const writer = GradientStoreWriter.create(process.argv[2] ?? '', {
  rows: ROWS,
  dtype: 'float32',
  columns: [{ layer: 'dense', width: WIDTH }],
});
for (let step = 0; ; step++) {
  const examples = Int32Array.from({ length: 8 }, (_, i) => (step * 8 + i * 37) % (ROWS / 2));
  const rows = new Float32Array(8 * WIDTH);
  examples.forEach((example, i) => rows.fill(example + ROWS * step, i * WIDTH, (i + 1) * WIDTH));
  writer.write(examples, rows);
  if (step === 30) process.stdout.write('writing\n');
}
