/** What tokens say, one by one. */
import type { Tokenizer } from '../../lib/datasets/tokenizer';

/** What each token adds to the text; bytes of one character are with its last. */
export async function tokenTexts(tokenizer: Tokenizer, ids: Int32Array): Promise<string[]> {
  const prefixes = await tokenizer.decode(Array.from(ids, (_, i) => ids.subarray(0, i + 1)));
  let length = 0;
  return prefixes.map((prefix) => {
    if (prefix.endsWith('\ufffd')) return '';
    const text = prefix.slice(length);
    length = prefix.length;
    return text;
  });
}
