import { parseInputs } from '../../../scripts/query/inputs';

const one = '{"x": [1, 2], "y": [0], "label": "a"}';

describe('parseInputs', () => {
  it.each([
    { what: 'an object', text: one, where: ['q, line 1'] },
    { what: 'JSON lines, blank ones between', text: `${one}\n\n${one}\n`, where: ['q, line 1', 'q, line 3'] },
    { what: 'an array', text: `[${one},\n${one}]`, where: ['q, query 1', 'q, query 2'] },
    {
      what: 'an object over several lines',
      text: '{\n"x": [1, 2],\n"y": [0], "label": "a"}',
      where: ['q, line 1'],
    },
  ])('reads $what', ({ text, where }) => {
    const inputs = parseInputs('q', text);
    expect(inputs).toEqual(
      where.map((place) => ({ where: place, x: [1, 2], y: [0], record: { label: 'a' } })),
    );
  });

  it.each([
    { what: 'nothing', text: ' \n', says: /^q: holds no query; write one JSON object a line/ },
    { what: 'an empty array', text: '[]', says: /^q: holds no query/ },
    { what: 'a broken second line', text: `${one}\n{"x": [1,}`, says: /^q, line 2: not JSON: / },
    { what: 'a broken document', text: '{\n"x": [1, 2]\n"y": [0]\n}', says: /^q, line 3: not JSON: / },
    { what: 'half a line', text: '{"x": [1', says: /^q, line 1: not JSON: / },
    {
      what: 'a query without targets',
      text: '{"x": [1]}',
      says: /^q, line 1: a query must have `x` and `y`, or `text`, or `prompt` and `completion`, or `messages`, found x$/,
    },
    { what: 'a number', text: '3', says: /^q, line 1: a query must be an object/ },
  ])('says where $what is wrong', ({ text, says }) => {
    expect(() => parseInputs('q', text)).toThrow(says);
  });
});
