/** A stream in an order of chance. */
import { philox4x32 } from '../../kernels/philox';

/** Items held at a time. */
const WINDOW = 4096;

/**
 * The items in an order that `seed` and `epoch` fix. Each comes from among the next `window` that have not come, so that
 * memory holds no more than those; a stream no longer than that is shuffled evenly.
 */
export async function* shuffle<T>(
  items: AsyncIterable<T>,
  {
    seed,
    epoch,
    window = WINDOW,
  }: { readonly seed: number; readonly epoch: number; readonly window?: number },
): AsyncGenerator<T> {
  const held: T[] = [];
  const words = new Uint32Array(4);
  let draws = 0;
  const draw = (): T => {
    philox4x32(draws++, 0, epoch, SHUFFLING, seed, 0, words);
    const place = Math.floor(((words[0] ?? 0) / 2 ** 32) * held.length);
    const drawn = held[place] as T;
    const last = held.pop() as T;
    if (place < held.length) held[place] = last;
    return drawn;
  };
  for await (const item of items) {
    held.push(item);
    if (held.length > window) yield draw();
  }
  while (held.length > 0) yield draw();
}

/** Sets these numbers apart from those of projection matrices and of drawn labels, which have 0 to 4 there. */
const SHUFFLING = 5;
