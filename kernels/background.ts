/** Lets the addon project on a thread of its own while training goes on. */
import { nativeAddon } from './native';

/**
 * What `call` returns. Projections that it asks of the addon may still be going on then: until {@link awaitBackground}
 * returns, the tensors that they write hold values that are not numbers, and must not be read.
 */
export function inBackground<T>(call: () => T): T {
  const addon = nativeAddon();
  if (typeof addon === 'string') return call();
  addon.useBackground(true);
  try {
    return call();
  } finally {
    addon.useBackground(false);
  }
}

/** Returns once everything that was begun in the background is there. */
export function awaitBackground(): void {
  const addon = nativeAddon();
  if (typeof addon !== 'string') addon.awaitBackground();
}
