/** Prints what the demo finds. */
import type { TracedExample } from '../../lib/query/trace';
import { colors } from '../terminal/colors';
import { formatScore, paragraph } from '../terminal/layout';
import { markWords, type ScoredText } from '../terminal/words';
import type { Passage } from './passages';

/** A passage that was found, the words that matter most for its score marked. */
export function describeFound(
  { score, seen }: TracedExample,
  passage: Passage,
  words: readonly ScoredText[],
): string {
  const paint = score > 0 ? colors.green : colors.red;
  const steps = seen.map(({ step }) => step);
  const title = `${paint(formatScore(score))}  ${passage.president}, ${passage.year}; seen at steps ${steps.join(', ')}`;
  return `${paragraph(title)}\n${paragraph(markWords(words, score))}`;
}
