import fs from 'node:fs';
import path from 'node:path';
import { buildRun } from '../../../callbacks';
import { parseInputs, readConversation } from '../../../scripts/query/inputs';
import { QuerySession } from '../../../scripts/query/session';
import type { QueryDocument } from '../../../scripts/query/document';
import { configs, silent } from '../../build/support';
import { writeJsonl } from '../../datasets/support';
import { relativeError } from '../../support/closeness';
import { runBergson } from '../../support/run-bergson';
import { temporaryDirectory } from '../../support/temporary-directory';

/** A text alone in its batch, and beside others: float32 sums in other orders. */
const TOLERANCE = 1e-5;
const directory = temporaryDirectory();
const config = configs(directory);
const turn = (role: string, content: string) => ({ role, content });
const CHATS = [
  [
    turn('user', 'Where is it?'),
    turn('assistant', 'In Paris.'),
    turn('user', 'Why?'),
    turn('assistant', 'So.'),
  ],
  [turn('system', 'Be brief.'), turn('user', 'Rivers?'), turn('assistant', 'They run to the sea.')],
];

let run: string;
beforeAll(async () => {
  const dataset = writeJsonl(
    directory,
    'chats.jsonl',
    CHATS.map((chat) => ({ chat })),
  );
  const asked = config({ dataset, textColumn: null, conversationColumn: 'chat' });
  ({ path: run } = (await buildRun(asked, silent)).run);
});

const open = () => QuerySession.open(run, { engine: 'exact', onTruncated: () => undefined });

function write(name: string, content: unknown): string {
  const file = path.join(directory, name);
  fs.writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

it('makes the row that a conversation has in a run, from a list, an object or lines', async () => {
  const session = await open();
  for (const [id, chat] of CHATS.entries()) {
    for (const inputs of [
      readConversation(write('chat.json', chat)),
      readConversation(write('chat.json', { messages: chat })),
      parseInputs('lines', JSON.stringify({ messages: chat })),
      parseInputs('lines', JSON.stringify({ chat, text: 'not this' }), 'chat'),
    ]) {
      const [question, ...others] = await session.fromInputs(inputs);
      expect(others).toEqual([]);
      expect(relativeError(question!.row, session.attributor.row(id))).toBeLessThan(TOLERANCE);
      expect(question!.title).toMatch(/^Conversation asked in /);
      expect(question!.record?.text).toContain(chat.at(-1)!.content);
    }
  }
  await session.close();
});

it('takes the score apart by the tokens of what the assistant said, and of nothing that nobody asked', async () => {
  const session = await open();
  const [question] = await session.fromInputs(readConversation(write('chat.json', CHATS[0])));
  const [explanation] = await session.explain(question!, 1, { tokens: true });
  const size = Math.hypot(...question!.row) * Math.hypot(...session.attributor.row(1));
  const { example, query } = explanation!.byToken!;
  for (const shares of [example, query])
    expect('score' in shares && Math.abs(shares.score - explanation!.score) / size).toBeLessThan(TOLERANCE);
  await session.close();
});

it('answers on the command line, and scores by lines of conversations', () => {
  const args = [
    'query',
    run,
    '--conversation',
    write('chat.json', CHATS[1]),
    '-k',
    '1',
    '--unit-norm',
    '--json',
  ];
  const { code, stdout, stderr } = runBergson(args);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect((JSON.parse(stdout) as QueryDocument).queries[0]!.highest[0]!.example).toBe(1);
  const lines = write('lines.jsonl', CHATS.map((chat) => JSON.stringify({ chat })).join('\n'));
  const out = path.join(directory, 'scores.jsonl');
  const scored = runBergson([
    ...['score', run, '--queries', lines, '--data', lines, '--out', out],
    ...['--conversation-column', 'chat'],
  ]);
  expect(scored.code).toBe(0);
  expect(scored.stdout).toContain('2 rows with 2 scores each');
});

it.each<[what: string, content: unknown, says: string | RegExp]>([
  ['nothing', '', 'chat.json: holds no conversation'],
  ['no JSON', '[{"role"', 'not JSON'],
  ['no list', { role: 'user' }, 'a conversation must be a list of messages'],
  ['an empty list', [], 'a conversation must be a list of messages'],
  ['texts', ['Hello.'], 'cannot be asked by: the conversation is no list of messages with a `role`'],
  ['a question alone', [turn('user', 'Why?')], 'cannot be asked by: the assistant says nothing'],
])('says what is wrong with %s', async (_, content, says) => {
  const session = await open();
  const asked = async () => session.fromInputs(readConversation(write('chat.json', content)));
  await expect(asked()).rejects.toThrow(says);
  await session.close();
});

it('names a line that has no such column', () => {
  expect(() => parseInputs('lines', '{"messages": []}', 'chat')).toThrow('lines, line 1: has no `chat`');
});
