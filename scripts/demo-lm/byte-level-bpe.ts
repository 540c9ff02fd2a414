/** Makes a small byte-level tokenizer. Sennrich et al., 2016, algorithm 1; Radford et al., 2019, section 2.2. */

/** How a text is divided before pairs are merged, as GPT-2 does. */
const PIECES = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** Bytes are shown as characters that print: those that do as they are, the others from 256 on. */
const ALPHABET: readonly string[] = (() => {
  let next = 256;
  const prints = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(prints(byte) ? byte : next++));
})();

/** A word of the corpus in the symbols that it is made of by now, and how often it comes. */
interface Word {
  symbols: string[];
  readonly count: number;
}

/**
 * What `tokenizer.json` holds of a tokenizer that knows every byte and, up to `vocabularySize` tokens, the pairs that come
 * most often in `texts`; of pairs that come equally often the first in the order of code units.
 */
export function trainByteLevelBpe(texts: Iterable<string>, vocabularySize: number): Record<string, unknown> {
  const words = countWords(texts);
  const pairs = new PairCounts(words);
  const vocabulary = [...ALPHABET].sort();
  const merges: [string, string][] = [];
  while (vocabulary.length < vocabularySize) {
    const best = pairs.mostFrequent();
    if (best === undefined) break;
    const [left, right] = best;
    merges.push([left, right]);
    vocabulary.push(left + right);
    pairs.merge(left, right);
  }
  return {
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: {
      type: 'ByteLevel',
      add_prefix_space: false,
      trim_offsets: true,
      use_regex: true,
    },
    post_processor: null,
    decoder: {
      type: 'ByteLevel',
      add_prefix_space: false,
      trim_offsets: true,
      use_regex: true,
    },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
      merges,
    },
  };
}

function countWords(texts: Iterable<string>): Word[] {
  const counts = new Map<string, number>();
  for (const text of texts)
    for (const [piece] of text.matchAll(PIECES)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  return Array.from(counts, ([piece, count]) => ({
    symbols: Array.from(Buffer.from(piece), (byte) => ALPHABET[byte] ?? ''),
    count,
  }));
}

/** Between the symbols of a pair: no byte is shown as a space. */
const SEPARATOR = ' ';

/** How often each pair of neighbors comes, and in which words. */
class PairCounts {
  private readonly counts = new Map<string, number>();
  private readonly places = new Map<string, Set<Word>>();

  constructor(words: readonly Word[]) {
    for (const word of words) this.add(word, word.count);
  }

  mostFrequent(): [string, string] | undefined {
    let [best, most] = ['', 0];
    for (const [pair, count] of this.counts) {
      if (count > most || (count === most && pair < best)) [best, most] = [pair, count];
    }
    const [left, right] = best.split(SEPARATOR);
    return most === 0 || left === undefined || right === undefined ? undefined : [left, right];
  }

  /** Makes one symbol of the pair, wherever it is. */
  merge(left: string, right: string): void {
    for (const word of this.places.get(left + SEPARATOR + right) ?? []) {
      this.add(word, -word.count);
      word.symbols = mergePair(word.symbols, left, right);
      this.add(word, word.count);
    }
  }

  private add(word: Word, count: number): void {
    const { symbols } = word;
    for (let i = 1; i < symbols.length; i++) {
      const pair = (symbols[i - 1] ?? '') + SEPARATOR + (symbols[i] ?? '');
      const total = (this.counts.get(pair) ?? 0) + count;
      if (total === 0) {
        this.counts.delete(pair);
        this.places.delete(pair);
        continue;
      }
      this.counts.set(pair, total);
      const places = this.places.get(pair);
      if (places === undefined) this.places.set(pair, new Set([word]));
      else if (count > 0) places.add(word);
    }
  }
}

/** `symbols` with each pair as one, from the left. */
function mergePair(symbols: readonly string[], left: string, right: string): string[] {
  const merged: string[] = [];
  for (const symbol of symbols) {
    if (symbol === right && merged.at(-1) === left) merged[merged.length - 1] = left + right;
    else merged.push(symbol);
  }
  return merged;
}
