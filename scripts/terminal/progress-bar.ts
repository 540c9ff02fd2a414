/** A progress bar on stderr while a terminal shows it, and silence or plain lines where none does. */
import { Presets, SingleBar } from 'cli-progress';

export interface ProgressBar {
  /** How much is done, and what to say of it. */
  update(done: number, note?: string): void;
  stop(): void;
}

/** Starts a bar of `total` steps called `label`. */
export function startProgress(label: string, total: number): ProgressBar {
  if (!process.stderr.isTTY) return { update: () => undefined, stop: () => undefined };
  const format = `${label} {bar} {percentage}% | {value}/{total} | {eta_formatted} left{note}`;
  // Ctrl-C is for whoever started the bar: it would else end the process, or stop the bar alone.
  const bar = new SingleBar(
    { format, stream: process.stderr, barsize: 30, gracefulExit: false },
    Presets.shades_classic,
  );
  bar.start(total, 0, { note: '' });
  return {
    update: (done, note) => {
      bar.update(done, note === undefined ? {} : { note: ` | ${note}` });
    },
    stop: () => {
      bar.stop();
    },
  };
}
