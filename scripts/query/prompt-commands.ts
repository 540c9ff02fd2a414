/** What can be typed at the prompt besides questions. */
import { BergsonError, UnknownColumnError } from '../../lib/errors';
import { terminalColumns } from '../terminal/layout';
import { describeExplanation } from './explanation';
import type { Prompt } from './prompt';
import { describeSearch } from './report';

/** Thrown when a line at the prompt is not understood. */
export class PromptError extends BergsonError {
  constructor(
    readonly line: string,
    readonly reason: string,
  ) {
    super(`${line}: ${reason}`);
  }
}

interface PromptCommand {
  readonly usage: string;
  readonly describe: string;
  /** False ends the prompt. @throws BergsonError */
  readonly run: (prompt: Prompt, words: readonly string[], line: string) => Promise<boolean> | boolean;
}

const COMMANDS: Readonly<Record<string, PromptCommand>> = {
  ':help': {
    usage: ':help',
    describe: 'this list',
    run: (prompt) => {
      prompt.print(describeCommands());
      return true;
    },
  },
  ':example': {
    usage: ':example ID …',
    describe: 'ask by training examples, as their ids alone do',
    run: async (prompt, words) => {
      await prompt.askExamples(wholeNumbers(':example', words));
      return true;
    },
  },
  ':text': {
    usage: ':text TEXT',
    describe: 'ask by a text, as a line does that is nothing else; of runs of language models',
    run: async (prompt, words, line) => {
      if (words.length === 0) throw new PromptError(':text', 'which text?');
      await prompt.askText(line.replace(/^\S+\s+/, ''));
      return true;
    },
  },
  ':input': {
    usage: ':input FILE [N …]',
    describe: 'ask by the queries of a file, or by those numbered from 0',
    run: async (prompt, [file, ...rows]) => {
      if (file === undefined) throw new PromptError(':input', 'which file?');
      await prompt.askFile(file, rows.length === 0 ? undefined : wholeNumbers(':input', rows));
      return true;
    },
  },
  ':explain': {
    usage: ':explain ID',
    describe: 'take the score of an example for the last question apart by layer and, of a text, token',
    run: async (prompt, words) => {
      const question = prompt.lastQuestion();
      for (const example of wholeNumbers(':explain', words)) {
        for (const explanation of await prompt.session.explain(question, example, {
          ...prompt.options,
          tokens: true,
        }))
          prompt.print(describeExplanation(explanation, terminalColumns()));
      }
      return true;
    },
  },
  ':show': {
    usage: ':show ID',
    describe: 'all that the run was told of an example',
    run: (prompt, words) => {
      const examples = wholeNumbers(':show', words);
      const records = prompt.session.attributor.run.exampleRecords(examples);
      for (const example of examples) {
        const record = records.get(example);
        prompt.print(`${example}: ${record === undefined ? 'nothing' : JSON.stringify(record)}`);
      }
      return true;
    },
  },
  ':k': {
    usage: ':k N',
    describe: 'how many examples to show at each end',
    run: (prompt, words) => {
      const [k = 0] = wholeNumbers(':k', words);
      const { rows } = prompt.session.attributor;
      if (k < 1 || k > rows) throw new PromptError(`:k ${k}`, `must be from 1 to the ${rows} rows held`);
      return set(prompt, { k });
    },
  },
  ':layers': {
    usage: ':layers [PATH … | all]',
    describe: 'score by these layers alone, or by all; without a path, list them',
    run: (prompt, words) => {
      if (words.length === 0)
        prompt.print(prompt.session.attributor.columns.map(({ layer }) => layer).join('\n'));
      else if (words.join() === 'all') return set(prompt, { layers: undefined });
      else
        return set(prompt, {
          layers: known(
            words,
            prompt.session.attributor.columns.map(({ layer }) => layer),
          ),
        });
      return true;
    },
  },
  ':lowest': toggle(':lowest', 'lowest', 'show the lowest scores, too'),
  ':unit-norm': toggle(':unit-norm', 'unitNorm', 'divide scores by the norms of examples'),
  ':epochs': toggle(':epochs', 'epochs', "show the scores in every epoch's store"),
  ':info': {
    usage: ':info',
    describe: 'what is searched, and how',
    run: (prompt) => {
      prompt.print(`${describeSearch(prompt.session.attributor)}\n${describeOptions(prompt)}`);
      return true;
    },
  },
  ':quit': { usage: ':quit', describe: 'end; so does Ctrl-D', run: () => false },
};

/** The command that `line` starts with, of which as many letters will do as no other has. @throws PromptError */
export function findCommand(line: string): PromptCommand {
  const [word = ''] = line.split(/\s+/);
  const exact = COMMANDS[word];
  if (exact !== undefined) return exact;
  const [found, ...others] = Object.keys(COMMANDS).filter((name) => name.startsWith(word));
  const command = found === undefined || others.length > 0 ? undefined : COMMANDS[found];
  if (command === undefined) throw new PromptError(word, 'no such command; `:help` lists them');
  return command;
}

/** What the last word of `line` may become, for the Tab key. */
export function completions(line: string, layers: readonly string[]): [matches: string[], word: string] {
  const words = line.split(' ');
  const word = words.at(-1) ?? '';
  const choices = words.length === 1 ? Object.keys(COMMANDS) : words[0] === ':layers' ? layers : [];
  return [choices.filter((choice) => choice.startsWith(word)), word];
}

function toggle(name: string, option: 'lowest' | 'unitNorm' | 'epochs', describe: string): PromptCommand {
  return {
    usage: `${name} [on | off]`,
    describe,
    run: (prompt, [word]) => {
      if (word !== undefined && word !== 'on' && word !== 'off') {
        throw new PromptError(`${name} ${word}`, 'on or off?');
      }
      return set(prompt, { [option]: word === undefined ? prompt.options[option] !== true : word === 'on' });
    },
  };
}

/** Changes the options, and says what they are now. */
function set(prompt: Prompt, changed: Partial<Prompt['options']>): true {
  prompt.options = { ...prompt.options, ...changed };
  prompt.print(describeOptions(prompt));
  return true;
}

function describeOptions({ options }: Prompt): string {
  const { k, layers, lowest, unitNorm, epochs } = options;
  const onOff = (value: boolean | undefined) => (value === true ? 'on' : 'off');
  return `k ${k}, layers ${layers?.join(' ') ?? 'all'}, lowest ${onOff(lowest)}, unit-norm ${onOff(unitNorm)}, epochs ${onOff(epochs)}`;
}

function describeCommands(): string {
  const commands = Object.values(COMMANDS);
  const width = Math.max(...commands.map(({ usage }) => usage.length));
  return [
    'A number asks by that training example; a JSON object {"x": …, "y": …} by the run\'s own model, or {"text": …}.',
    ...commands.map(({ usage, describe }) => `  ${usage.padEnd(width)}  ${describe}`),
  ].join('\n');
}

/** `paths`, each that of a layer or of what holds some. @throws UnknownColumnError */
function known(paths: readonly string[], layers: readonly string[]): readonly string[] {
  for (const path of paths) {
    if (!layers.some((layer) => layer === path || layer.startsWith(`${path}.`))) {
      throw new UnknownColumnError(path, layers);
    }
  }
  return paths;
}

/** At least one whole number. @throws PromptError */
function wholeNumbers(command: string, words: readonly string[]): number[] {
  if (words.length === 0) throw new PromptError(command, 'takes a whole number');
  return words.map((word) => {
    if (!/^\d+$/.test(word)) throw new PromptError(`${command} ${word}`, 'takes whole numbers');
    return Number(word);
  });
}
