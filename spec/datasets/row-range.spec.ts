import { parseSplit, resolveRange, rowsToCount } from '../../lib/datasets/row-range';
import { InvalidOptionError } from '../../lib/errors';

it.each([
  ['0:200', undefined, 0, 200],
  [':', undefined, 0, 1005],
  ['[100:200]', undefined, 100, 200],
  ['train', 'train', 0, 1005],
  ['train[:10%]', 'train', 0, 100],
  ['train[10%:20%]', 'train', 100, 201],
  ['test[-5:]', 'test', 1000, 1005],
  ['[-10%:]', undefined, 905, 1005],
  ['1000:2000', undefined, 1000, 1005],
  ['7:3', undefined, 7, 7],
])('%s of 1005 rows is part %s, rows %d to %d', (text, name, start, end) => {
  const split = parseSplit(text);
  expect(split.name).toBe(name);
  expect(resolveRange(split, 1005)).toEqual({ start, end });
});

it('rounds percentages half to even, as Python does', () => {
  // 50% of 5 is 2.5, 50% of 7 is 3.5
  expect(resolveRange(parseSplit('[:50%]'), 5).end).toBe(2);
  expect(resolveRange(parseSplit('[:50%]'), 7).end).toBe(4);
});

it('makes parts that adjoin cover every row once', () => {
  for (let rows = 0; rows < 60; rows++) {
    const parts = [0, 1, 2, 3, 4].map((k) => resolveRange(parseSplit(`[${k * 20}%:${k * 20 + 20}%]`), rows));
    parts.forEach(({ start }, i) => {
      expect(start).toBe(parts[i - 1]?.end ?? 0);
    });
    expect(parts.at(-1)?.end).toBe(rows);
  }
});

it('counts no more rows than a range with an end needs', () => {
  expect(rowsToCount(parseSplit('0:200'))).toBe(200);
  expect(rowsToCount(parseSplit('[5:]'))).toBe(Infinity);
  expect(rowsToCount(parseSplit('[:10%]'))).toBe(Infinity);
  expect(rowsToCount(parseSplit('[-3:7]'))).toBe(Infinity);
});

it.each(['', 'train[', '1:2:3', 'train[a:b]', '[:200%]', '[5]'])('refuses `%s`', (text) => {
  expect(() => parseSplit(text)).toThrow(InvalidOptionError);
});
