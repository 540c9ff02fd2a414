/** Conversations as the text a chat model was trained on. The only importer of Jinja. */
import fs from 'node:fs';
import path from 'node:path';
import { Template } from '@huggingface/jinja';
import { TokenizerError } from '../errors';
import type { Document, TextRange } from './document';
import type { Unusable } from './read-document';
import { tokenizerFile } from './tokenizer-file';

/** Renders conversations. */
export interface ChatTemplate {
  /**
   * The text of a conversation, a list of messages with `role` and `content`. The loss counts the assistant's turns: what
   * the template adds for one after the prompt that asks for it, the end of the turn included.
   */
  render(messages: unknown): Document | Unusable;
}

interface Message {
  readonly role: string;
}

const SPECIAL_TOKENS = ['bos_token', 'eos_token', 'unk_token', 'pad_token', 'sep_token', 'cls_token'];

/**
 * The template beside a tokenizer: `chat_template.jinja`, or `chat_template` in `tokenizer_config.json`, of several the one
 * named `default`.
 *
 * @param location the tokenizer's folder, or its `tokenizer.json`.
 * @throws TokenizerError if there is none, or it is broken.
 */
export function openChatTemplate(location: string): ChatTemplate {
  const folder = path.dirname(tokenizerFile(location));
  const config = readConfig(folder);
  const template = parse(folder, readTemplate(folder, config));
  const tokens = Object.fromEntries(SPECIAL_TOKENS.map((name) => [name, contentOf(config[name])]));
  const text = (messages: readonly Message[], ask: boolean): string =>
    template.render({ ...tokens, messages, add_generation_prompt: ask });

  return {
    render(messages) {
      if (!isConversation(messages))
        return { unusable: 'the conversation is no list of messages with a `role`' };
      try {
        return renderTurns(messages, text);
      } catch (error) {
        return { unusable: `the chat template refuses the conversation (${reasonOf(error)})` };
      }
    },
  };
}

function renderTurns(
  messages: readonly Message[],
  text: (messages: readonly Message[], ask: boolean) => string,
): Document | Unusable {
  const whole = text(messages, false);
  const lossRanges: TextRange[] = [];
  for (const [i, { role }] of messages.entries()) {
    if (role !== 'assistant') continue;
    const before = text(messages.slice(0, i), true);
    const after = text(messages.slice(0, i + 1), false);
    if (!after.startsWith(before) || !whole.startsWith(after))
      return {
        unusable:
          "the chat template does not render one turn after the other, so the assistant's cannot be told",
      };
    lossRanges.push([before.length, after.length]);
  }
  if (lossRanges.length === 0) return { unusable: 'the assistant says nothing' };
  return { text: whole, lossRanges, specialTokens: false };
}

function isConversation(value: unknown): value is readonly Message[] {
  return (
    Array.isArray(value) &&
    value.every((message: unknown) => typeof message === 'object' && message !== null && 'role' in message)
  );
}

function readConfig(folder: string): Record<string, unknown> {
  const file = path.join(folder, 'tokenizer_config.json');
  if (!fs.existsSync(file)) return {};
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>;
  } catch (cause) {
    throw new TokenizerError(folder, `tokenizer_config.json is not JSON (${reasonOf(cause)})`, { cause });
  }
}

function readTemplate(folder: string, { chat_template: inConfig }: Record<string, unknown>): string {
  const file = path.join(folder, 'chat_template.jinja');
  if (fs.existsSync(file)) return fs.readFileSync(file, 'utf8');
  if (typeof inConfig === 'string') return inConfig;
  const named = Array.isArray(inConfig) ? (inConfig as { name?: string; template?: string }[]) : [];
  const template = named.find(({ name }) => name === 'default')?.template;
  if (template === undefined)
    throw new TokenizerError(folder, 'it has no chat template, which conversations need');
  return template;
}

function parse(folder: string, source: string): Template {
  try {
    return new Template(source);
  } catch (cause) {
    throw new TokenizerError(folder, `its chat template does not parse (${reasonOf(cause)})`, { cause });
  }
}

/** A special token is written as its text, or as an object with the text as `content`. */
function contentOf(token: unknown): unknown {
  return typeof token === 'object' && token !== null && 'content' in token ? token.content : token;
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
