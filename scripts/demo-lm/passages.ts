/** Divides addresses into passages of some sentences. */
import type { Address } from './addresses';

export interface Passage {
  /** As of the address it is from. */
  readonly year: number;
  readonly president: string;
  readonly sentences: readonly string[];
  readonly text: string;
}

/** Words of a passage from which on it is full. */
const FULL = 30;

/** The passages of an address in their order. What is left at its end, fewer words than make one, is part of the last. */
export function toPassages({ year, president, text }: Address): Passage[] {
  const passages: string[][] = [];
  let words = FULL;
  for (const sentence of toSentences(text)) {
    if (words >= FULL) {
      passages.push([]);
      words = 0;
    }
    passages.at(-1)?.push(sentence);
    words += countWords(sentence);
  }
  if (words < FULL && passages.length > 1) {
    const rest = passages.pop() ?? [];
    passages.at(-1)?.push(...rest);
  }
  return passages.map((sentences) => ({
    year,
    president,
    sentences,
    text: sentences.join(' '),
  }));
}

/** Sentences end in a mark before a space and a capital; titles and initials do not end any. What the audience did is left out. */
export function toSentences(text: string): string[] {
  return text
    .replace(/[[(](?:Laughter|Applause)\.?[\])]/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .split(/(?<=(?<!\b(?:Mr|Mrs|Ms|Dr|St|Sen|Gen|No|[A-Z]))[.?!]["”’')]?) (?=["“‘'(]?[A-Z])/)
    .filter((sentence) => sentence !== '');
}

export function countWords(text: string): number {
  return text.split(' ').length;
}
