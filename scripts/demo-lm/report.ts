/** Prints what the demo finds. */
import type { TracedExample } from '../../lib/query/trace';
import { colors } from '../terminal/colors';
import { formatScore, paragraph } from '../terminal/layout';
import type { ScoredWord } from './language-questions';
import type { Passage } from './passages';

/** Words that are marked in a passage, at most. */
const MARKED = 8;

/** A passage that was found, the words that matter most for its score marked. */
export function describeFound(
  { score, seen }: TracedExample,
  passage: Passage,
  words: readonly ScoredWord[],
): string {
  const paint = score > 0 ? colors.green : colors.red;
  const steps = seen.map(({ step }) => step);
  const title = `${paint(formatScore(score))}  ${passage.president}, ${passage.year}; seen at steps ${steps.join(', ')}`;
  return `${paragraph(title)}\n${paragraph(markWords(words, score))}`;
}

/** The text with the words in brackets, or on a terminal in color, that add most to a score of this sign. */
export function markWords(words: readonly ScoredWord[], sign: number): string {
  const along = ({ score }: ScoredWord) => Math.sign(sign) * score;
  const marked = new Set(
    words
      .filter((word) => along(word) > 0)
      .sort((a, b) => along(b) - along(a))
      .slice(0, MARKED),
  );
  return words.map((word) => (marked.has(word) ? word.text.replace(/\S+/, mark(sign)) : word.text)).join('');
}

function mark(sign: number): (word: string) => string {
  if (!colors.isColorSupported) return (word) => `[${word}]`;
  const paint = sign > 0 ? colors.green : colors.red;
  return (word) => colors.bold(paint(word));
}
