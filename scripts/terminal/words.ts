/** Marks the words of a text that count most for a score. */
import { colors } from './colors';
import { formatScore } from './layout';

/** A piece of a text as it stands there, space and all, and what it adds to a score. */
export interface ScoredText {
  readonly text: string;
  readonly score: number;
}

/** Words that are marked in a text, at most. */
const MARKED = 8;

/** Tokens joined to words, each with the space before it. */
export function toWords(tokens: readonly ScoredText[]): ScoredText[] {
  const words: { text: string; score: number }[] = [];
  for (const { text, score } of tokens) {
    const last = words.at(-1);
    if (last === undefined || /^\s/.test(text)) words.push({ text, score });
    else {
      last.text += text;
      last.score += score;
    }
  }
  return words;
}

/** The text with the words in brackets, or on a terminal in color, that add most to a score of this sign. */
export function markWords(words: readonly ScoredText[], sign: number): string {
  const marked = new Set(most(words, sign));
  return words.map((word) => (marked.has(word) ? word.text.replace(/\S+/, mark(sign)) : word.text)).join('');
}

/** The words that `markWords` marks, the first first, each with what it adds. */
export function listWords(words: readonly ScoredText[], sign: number): string {
  return most(words, sign)
    .map(({ text, score }) => `${text.trim()} ${formatScore(score)}`)
    .join(', ');
}

function most(words: readonly ScoredText[], sign: number): ScoredText[] {
  const along = ({ score }: ScoredText) => Math.sign(sign) * score;
  return words
    .filter((word) => along(word) > 0 && word.text.trim() !== '')
    .sort((a, b) => along(b) - along(a))
    .slice(0, MARKED);
}

function mark(sign: number): (word: string) => string {
  if (!colors.isColorSupported) return (word) => `[${word}]`;
  const paint = sign > 0 ? colors.green : colors.red;
  return (word) => colors.bold(paint(word));
}
