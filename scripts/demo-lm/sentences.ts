/** Chooses sentences to ask about. */
import { seededOrder } from '../demo/seeded';
import { countWords, type Passage } from './passages';

/** Words of a sentence that is asked about. */
const [FEWEST_WORDS, MOST_WORDS] = [8, 30];

/** A sentence, and the passage that it is from if the model was trained on it. */
export interface Asked {
  readonly sentence: string;
  readonly passage: number | null;
}

/** Sentences that are in one passage alone, of one passage each, in an order of chance. */
export function sentencesOf(passages: readonly Passage[], count: number, seed: number): Asked[] {
  const texts = passages.map(({ text }) => text).join('\n');
  const asked: Asked[] = [];
  for (const passage of seededOrder(passages.length, seed)) {
    const sentence = passages[passage]?.sentences.find((each) => {
      const words = countWords(each);
      const once = texts.indexOf(each) === texts.lastIndexOf(each);
      return words >= FEWEST_WORDS && words <= MOST_WORDS && once;
    });
    if (sentence !== undefined) asked.push({ sentence, passage });
    if (asked.length === count) break;
  }
  return asked;
}
