/** `bergson generate`: what a language model goes on with after a text. */
import type { CommandModule } from 'yargs';
import { loadBackend } from '../../lib/backend';
import { openTokenizer } from '../../lib/datasets/tokenizer';
import { loadCausalLM } from '../../lib/models/causal-lm';
import { generate } from '../../lib/models/generate';

interface GenerateArguments {
  model: string;
  text: string;
  tokenizer?: string;
  'max-tokens': number;
  temperature: number;
  seed: number;
  json: boolean;
}

export const generateCommand: CommandModule<object, GenerateArguments> = {
  command: 'generate <model>',
  describe: 'Show what a language model goes on with after a text',
  builder: (yargs) =>
    yargs
      .positional('model', {
        type: 'string',
        demandOption: true,
        describe: 'Folder in Hugging Face’s format',
      })
      .option('text', {
        type: 'string',
        requiresArg: true,
        demandOption: true,
        describe: 'What comes before',
      })
      .option('tokenizer', {
        type: 'string',
        requiresArg: true,
        describe: 'tokenizer.json, or its folder; default: beside the model',
      })
      .option('max-tokens', {
        type: 'number',
        requiresArg: true,
        default: 32,
        describe: 'New tokens at most',
      })
      .option('temperature', {
        type: 'number',
        requiresArg: true,
        default: 0,
        describe: 'How freely tokens are drawn; 0: always the likeliest',
      })
      .option('seed', { type: 'number', requiresArg: true, default: 0, describe: 'Of the draws' })
      .option('json', { type: 'boolean', default: false, describe: 'Print prompt and completion as JSON' })
      .example('$0 generate models/gpt2 --text "The capital of France is"', 'The likeliest continuation'),
  handler: async ({ model, text, tokenizer = model, temperature, seed, json, ...args }) => {
    await loadBackend();
    const lm = await loadCausalLM(model);
    try {
      const { contextLength } = lm;
      const opened = openTokenizer(tokenizer, { contextLength, longDocuments: 'truncate' });
      const [tokenized] = await opened.tokenize([{ text, specialTokens: true }]);
      const prompt = tokenized?.pieces[0]?.inputIds ?? new Int32Array();
      const ids = await generate(lm, prompt, {
        maxTokens: args['max-tokens'],
        temperature,
        seed,
      });
      const [completion = ''] = await opened.decode([ids]);
      console.log(json ? JSON.stringify({ prompt: text, completion }) : text + completion);
    } finally {
      lm.model.dispose();
    }
  },
};
