import fs from 'node:fs';
import path from 'node:path';
import { openChatTemplate } from '../../lib/datasets/chat-template';
import { TokenizerError } from '../../lib/errors';
import { temporaryDirectory } from '../support/temporary-directory';
import { TOKENIZER } from './support';

const root = temporaryDirectory();
const conversation = [
  { role: 'user', content: 'hello' },
  { role: 'assistant', content: 'hi' },
  { role: 'user', content: 'and?' },
  { role: 'assistant', content: 'hi again' },
];

function templateOf(config: unknown, file?: string): ReturnType<typeof openChatTemplate> {
  const folder = fs.mkdtempSync(path.join(root, 't-'));
  fs.writeFileSync(path.join(folder, 'tokenizer_config.json'), JSON.stringify(config));
  if (file !== undefined) fs.writeFileSync(path.join(folder, 'chat_template.jinja'), file);
  return openChatTemplate(folder);
}

it('renders turns, and counts the loss of what the assistant says, the end of its turn included', () => {
  const document = openChatTemplate(TOKENIZER).render(conversation);
  if ('unusable' in document) throw new Error(document.unusable);
  expect(document.text).toBe(
    '<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\nhi<|im_end|>\n' +
      '<|im_start|>user\nand?<|im_end|>\n<|im_start|>assistant\nhi again<|im_end|>\n',
  );
  expect(document.lossRanges?.map((range) => document.text.slice(...range))).toEqual([
    'hi<|im_end|>\n',
    'hi again<|im_end|>\n',
  ]);
  expect(document.specialTokens).toBe(false);
});

it('gives the template the special tokens, written as texts or objects', () => {
  const template = templateOf({
    bos_token: { content: '<s>' },
    eos_token: '</s>',
    chat_template: '{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}',
  });
  expect(template.render(conversation)).toMatchObject({ text: '<s>hello</s>hi</s>and?</s>hi again</s>' });
});

it('takes a file of its own before the configuration, and of several the default', () => {
  const named = [
    { name: 'tools', template: 'tools' },
    { name: 'default', template: '{% for m in messages %}({{ m.content }}){% endfor %}' },
  ];
  expect(templateOf({ chat_template: named }).render(conversation)).toMatchObject({
    text: '(hello)(hi)(and?)(hi again)',
  });
  const file = '{% for m in messages %}[{{ m.content }}]{% endfor %}';
  expect(templateOf({ chat_template: named }, file).render(conversation)).toMatchObject({
    text: '[hello][hi][and?][hi again]',
  });
});

it.each([
  ['no list', 'hello', /no list of messages/],
  ['messages without a role', [{ content: 'x' }], /no list of messages/],
  ['no assistant', [{ role: 'user', content: 'x' }], /assistant says nothing/],
])('says why %s makes no example', (_, messages, reason) => {
  expect(openChatTemplate(TOKENIZER).render(messages)).toEqual({
    unusable: expect.stringMatching(reason) as string,
  });
});

it('passes on what the template itself refuses', () => {
  const template = templateOf({ chat_template: "{{ raise_exception('roles must alternate') }}" });
  expect(template.render(conversation)).toEqual({
    unusable: expect.stringMatching(/roles must alternate/) as string,
  });
});

it.each([
  ['begins with their number', '{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}'],
  [
    'shortens earlier answers',
    "{% for m in messages %}{{ m.content if loop.last or m.role == 'user' else '…' }};{% endfor %}",
  ],
])('refuses to guess turns where the template %s', (_, template) => {
  expect(templateOf({ chat_template: template }).render(conversation)).toEqual({
    unusable: expect.stringMatching(/one turn after the other/) as string,
  });
});

it.each([
  [{}, /no chat template/],
  [{ chat_template: '{% for' }, /does not parse/],
])('names what is wrong with %j', (config, message) => {
  expect(() => templateOf(config)).toThrow(TokenizerError);
  expect(() => templateOf(config)).toThrow(message);
});
