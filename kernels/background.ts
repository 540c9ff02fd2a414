/** Lets the addon work on a thread of its own while training goes on. */
import { loadAddon } from './addon';

/**
 * What `call` returns. Projections that it asks of the addon may still be going on then, or not have begun, which they do once
 * there is work worth a thread: until {@link awaitBackground} returns, the tensors that they write hold values that are not
 * numbers, and must not be read. That thread takes the time which other work leaves of the processor's cores.
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

/** Returns once all that was left to the background is done; does what is left of it on this thread, and on others. */
export function awaitBackground(): void {
  const addon = loadAddon();
  if (typeof addon !== 'string') addon.awaitBackground();
}
