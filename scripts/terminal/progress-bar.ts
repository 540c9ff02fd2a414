/** A progress bar on stderr while a terminal shows it, and silence or plain lines where none does. */
import { Presets, SingleBar } from 'cli-progress';
import type { StageProgress } from '../../lib/build/build-run';
import { formatDuration } from './layout';
import { RemainingTime } from './remaining-time';

/** Starts a bar of `total` steps called `label`. */
export function startProgress(label: string, total: number): StageProgress {
  if (!process.stderr.isTTY) return { update: () => undefined, skip: () => undefined, stop: () => undefined };
  const format = `${label} {bar} {percentage}% | {value}/{total}{left}{note}`;
  // Ctrl-C is for whoever started the bar: it would else end the process, or stop the bar alone.
  const bar = new SingleBar(
    { format, stream: process.stderr, barsize: 30, gracefulExit: false },
    Presets.shades_classic,
  );
  const remaining = new RemainingTime(total, performance.now());
  bar.start(Math.round(total), 0, { note: '', left: '' });
  return {
    update: (done, note) => {
      remaining.update(done, performance.now());
      const { seconds } = remaining;
      const left = seconds === undefined ? '' : ` | ${formatDuration(seconds)} left`;
      bar.update(Math.round(done), { left, ...(note !== undefined && { note: ` | ${note}` }) });
    },
    skip: (done) => {
      remaining.skip(done, performance.now());
      bar.update(Math.round(done));
    },
    stop: () => {
      bar.stop();
    },
  };
}
