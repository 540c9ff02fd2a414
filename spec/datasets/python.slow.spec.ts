import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { openChatTemplate } from '../../lib/datasets/chat-template';
import { openTokenizer } from '../../lib/datasets/tokenizer';
import { pythonIfAny } from '../support/python';
import { temporaryDirectory } from '../support/temporary-directory';

const root = temporaryDirectory();
const python = pythonIfAny('tokenizers', ['tokenizers==0.23.2', 'jinja2']);
const where = python === undefined ? describe.skip : describe;

interface Expected {
  readonly text: string;
  readonly ids: number[];
  readonly truncated: number[];
}

where('against tokenizers in Python', () => {
  beforeAll(() => {
    execFileSync(python ?? '', [path.join(__dirname, 'tokenizers-in-python.py'), root]);
  });

  it.each(['byte_level', 'byte_fallback', 'unigram', 'word_piece'])(
    'ids of a %s tokenizer are the same, whole and truncated',
    async (family) => {
      const file = path.join(root, `${family}.json`);
      const expected = JSON.parse(
        fs.readFileSync(path.join(root, `${family}.expected.json`), 'utf8'),
      ) as Expected[];
      const documents = expected.map(({ text }) => ({ text, specialTokens: true }));
      const idsAt = async (contextLength: number) =>
        (await openTokenizer(file, { contextLength, longDocuments: 'truncate' }).tokenize(documents)).map(
          ({ pieces }) => [...(pieces[0]?.inputIds ?? [])],
        );
      expect(await idsAt(1_000_000)).toEqual(expected.map(({ ids }) => ids));
      expect(await idsAt(16)).toEqual(expected.map(({ truncated }) => truncated));
    },
  );
});

/** In the manner of well-known models. */
const TEMPLATES = [
  // marks around each turn, with a system message if none is given
  `{% if messages[0]['role'] != 'system' %}<|im_start|>system
You help.<|im_end|>
{% endif %}
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content | trim + '<|im_end|>\\n' }}
{%- endfor %}
{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`,
  // questions in brackets, roles that must alternate
  `{{ bos_token }}{% for message in messages %}
  {% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
    {{ raise_exception('roles must alternate') }}
  {% endif %}
  {% if message['role'] == 'user' %}
    {{ '[INST] ' + message['content'].strip() + ' [/INST]' }}
  {% elif message['role'] == 'assistant' %}
    {{ ' ' + message['content'] + eos_token }}
  {% endif %}
{% endfor %}`,
  // headers, a namespace and slices
  `{%- set ns = namespace(turns=0) -%}
{%- if messages[0].role == 'system' %}{% set system = messages[0].content %}{% set rest = messages[1:] %}
{%- else %}{% set system = '' %}{% set rest = messages %}{% endif -%}
{{- system ~ '|' -}}
{%- for message in rest if message.content is defined and message.content -%}
{%- set ns.turns = ns.turns + 1 -%}
### {{ message.role | capitalize }} {{ ns.turns }}:
{{ message.content }}{{ '\\n\\n' if message.role == 'user' else eos_token }}
{%- endfor -%}`,
];

const turn = (role: string, content: string) => ({ role, content });
const CONVERSATIONS = [
  [turn('user', 'hello'), turn('assistant', 'hi')],
  [
    turn('system', 'Be brief.'),
    turn('user', ' spaces '),
    turn('assistant', '\nlines\n\n'),
    turn('user', '🙂 {{ x }}'),
  ],
  [turn('user', 'a'), turn('assistant', 'b'), turn('user', '<b>"c"</b>'), turn('assistant', '{% d %}')],
  [turn('assistant', 'I begin'), turn('user', '')],
];

where('against Jinja in Python', () => {
  it('chat templates render the same text', () => {
    const rendered = execFileSync(python ?? '', [path.join(__dirname, 'chat-templates-in-python.py')], {
      input: JSON.stringify({ templates: TEMPLATES, conversations: CONVERSATIONS }),
      encoding: 'utf8',
    });
    const folder = fs.mkdtempSync(path.join(root, 'templates-'));
    fs.writeFileSync(path.join(folder, 'tokenizer_config.json'), '{"bos_token": "<s>", "eos_token": "</s>"}');
    const found = TEMPLATES.flatMap((template) => {
      fs.writeFileSync(path.join(folder, 'chat_template.jinja'), template);
      const chat = openChatTemplate(folder);
      return CONVERSATIONS.map((messages) => {
        const document = chat.render(messages);
        return 'text' in document ? document.text : null;
      });
    });
    expect(found.filter((text) => text !== null).length).toBeGreaterThan(8);
    expect(found).toEqual(JSON.parse(rendered));
  });
});
