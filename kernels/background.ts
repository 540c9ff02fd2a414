/** Lets the addon work on a thread of its own while training goes on. */
import { loadAddon } from './addon';

/** All that was left to the background up to some moment. */
export type BackgroundWork = number;

const ALL: BackgroundWork = Number.MAX_SAFE_INTEGER;

/**
 * What `call` returns. Projections that it asks of the addon may still be going on then: until {@link awaitBackground}
 * returns, the tensors that they write hold values that are not numbers, and must not be read.
 */
export function inBackground<T>(call: () => T): T {
  const addon = loadAddon();
  if (typeof addon === 'string') return call();
  addon.useBackground(true);
  try {
    return call();
  } finally {
    addon.useBackground(false);
  }
}

/**
 * Begins what was left to the background, which would else begin once it is worth a thread, or when it is awaited. That thread
 * takes the time which other work leaves of the processor's cores.
 */
export function startBackground(): BackgroundWork {
  const addon = loadAddon();
  return typeof addon === 'string' ? 0 : addon.startBackground();
}

/** Returns once `work`, by default all that there is, is done; does what is left of it on this thread, and on others. */
export function awaitBackground(work = ALL): void {
  const addon = loadAddon();
  if (typeof addon !== 'string') addon.awaitBackground(work);
}
