import { chooseColumns, columnsRead } from '../../lib/datasets/columns';
import { AmbiguousColumnsError, InvalidOptionError, UnknownDatasetColumnError } from '../../lib/errors';

const choose = chooseColumns.bind(undefined, 'data.jsonl');

it.each([
  ['the only column of texts', [{ body: 'words', n: 1, list: ['x'] }], 'body'],
  ['`text` among several', [{ title: 'words', text: 'more words' }], 'text'],
  ['the only column of a CSV that is not numbers', [{ id: '7', year: '1999', body: '12 apples' }], 'body'],
  ['a column that is missing here and there', [{ n: 1 }, { n: 2, body: 'words' }, { body: null }], 'body'],
])('guesses %s', (_, rows, text) => {
  expect(choose(rows, {})).toEqual({ document: { kind: 'text', text }, reward: undefined });
});

it('takes tokens where there are any, with their labels', () => {
  const rows = [{ input_ids: [1, 2], labels: [1, -100], text: 'words' }];
  const columns = choose(rows, {});
  expect(columns.document).toEqual({ kind: 'tokens' });
  expect(columnsRead(columns)).toEqual(['input_ids', 'labels', 'attention_mask']);
  expect(choose(rows, { textColumn: 'text' }).document.kind).toBe('text');
});

it('lists the candidates where several could be the text', () => {
  const rows = [{ a: 'x', b: 'y', c: 3 }];
  expect(() => choose(rows, {})).toThrow(AmbiguousColumnsError);
  expect(() => choose(rows, {})).toThrow(/`a`, `b`; name one by `textColumn`/);
  expect(() => choose([{ c: 3 }], {})).toThrow(/no column of data\.jsonl is text; its columns are `c`/);
});

it('names the option whose column is not there, and the columns that are', () => {
  const rows = [{ a: 'x', b: 'y' }];
  expect(() => choose(rows, { textColumn: 'c' })).toThrow(UnknownDatasetColumnError);
  expect(() => choose(rows, { promptColumn: 'a', completionColumn: 'c' })).toThrow(
    /`completionColumn` names `c`.*`a`, `b`/,
  );
});

it('groups rewards by prompt unless told otherwise', () => {
  const rows = [{ p: 'x', c: 'y', r: 1, g: 2 }];
  const named = { promptColumn: 'p', completionColumn: 'c', rewardColumn: 'r' };
  expect(choose(rows, named).reward).toEqual({ reward: 'r', group: 'p' });
  expect(columnsRead(choose(rows, { ...named, groupColumn: 'g' }))).toEqual(['p', 'c', 'r', 'g']);
});

it.each([
  [{ textColumn: 'p', conversationColumn: 'c' }, /`textColumn` is given/],
  [{ textColumn: 'p', completionColumn: 'c' }, /`textColumn` is given/],
  [{ promptColumn: 'p' }, /`completionColumn` is missing/],
  [{ completionColumn: 'c' }, /`promptColumn` is missing/],
  [{ textColumn: 'c', rewardColumn: 'r' }, /`groupColumn` is missing/],
  [{ textColumn: 'c', groupColumn: 'g' }, /`rewardColumn` is missing/],
])('refuses %j', (options, message) => {
  const rows = [{ p: 'x', c: 'y', r: 1, g: 2 }];
  expect(() => choose(rows, options)).toThrow(InvalidOptionError);
  expect(() => choose(rows, options)).toThrow(message);
});
