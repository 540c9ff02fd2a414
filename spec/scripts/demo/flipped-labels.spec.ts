import { flipLabels } from '../../../scripts/demo/flipped-labels';

const labels = Array.from({ length: 205 }, (_, i) => i % 5);

describe('flipLabels', () => {
  it('changes the share asked for, rounded down, each to another class', () => {
    const { labels: given, flipped } = flipLabels(labels, 0.1, 5, 1);
    expect(flipped.filter(Boolean)).toHaveLength(20);
    given.forEach((label, i) => {
      expect(label !== labels[i]).toBe(flipped[i]);
      expect([0, 1, 2, 3, 4]).toContain(label);
    });
  });

  it('is the same for the same seed, and another for another', () => {
    expect(flipLabels(labels, 0.1, 5, 1)).toEqual(flipLabels(labels, 0.1, 5, 1));
    expect(flipLabels(labels, 0.1, 5, 1)).not.toEqual(flipLabels(labels, 0.1, 5, 2));
  });

  it('reaches every other class', () => {
    const { labels: given } = flipLabels(
      Array.from({ length: 200 }, () => 3),
      1,
      5,
      1,
    );
    expect(new Set(given)).toEqual(new Set([0, 1, 2, 4]));
  });
});
