import { countWords, toPassages, toSentences } from '../../../scripts/demo-lm/passages';

it('ends sentences at marks before capitals, but not after titles and initials, and leaves the audience out', () => {
  const text =
    'Mr. Speaker, I greet you. The U.S. Congress met. "Is it so?" I asked.  We (Applause.) rose. [Laughter] ' +
    'John F. Kennedy spoke at 3.5 percent. Then it ended.';
  expect(toSentences(text)).toEqual([
    'Mr. Speaker, I greet you.',
    'The U.S. Congress met.',
    '"Is it so?"',
    'I asked.',
    'We rose.',
    'John F. Kennedy spoke at 3.5 percent.',
    'Then it ended.',
  ]);
});

it('makes passages of at least thirty words, which hold all sentences in order', () => {
  const sentences = Array.from({ length: 23 }, (_, i) => `Sentence ${i} has these seven words.`);
  const passages = toPassages({
    year: 1800,
    president: 'John Adams',
    text: sentences.join(' '),
  });
  expect(passages.flatMap((passage) => passage.sentences)).toEqual(sentences);
  expect(passages).toHaveLength(4); // of five sentences, 30 words; the last has three more
  for (const { text, year } of passages) {
    expect(countWords(text)).toBeGreaterThanOrEqual(30);
    expect(year).toBe(1800);
  }
  expect(toPassages({ year: 1800, president: '', text: 'Short.' })).toHaveLength(1);
  expect(toPassages({ year: 1800, president: '', text: '' })).toEqual([]);
});
