/** Tells a person what set-up is doing: one line a step, and a sign of life while a step is slow. */

const SLOW_MILLISECONDS = 2000;

export type Report = (line: string) => void;

/** Runs one step; reports `doing` when it turns out slow, and `done` with the time it took at its end. */
export async function step<T>(
  report: Report,
  doing: string,
  done: (result: T) => string,
  action: () => Promise<T>,
): Promise<T> {
  const start = performance.now();
  const timer = setTimeout(() => {
    report(`${doing} …`);
  }, SLOW_MILLISECONDS);
  try {
    const result = await action();
    report(`${done(result)} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    return result;
  } finally {
    clearTimeout(timer);
  }
}
