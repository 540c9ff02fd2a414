/** `bergson query` without a question: asks for them at a prompt, until told to quit. */
import readline from 'node:readline';
import { BergsonError } from '../../lib/errors';
import { colors } from '../terminal/colors';
import { terminalColumns } from '../terminal/layout';
import { readHistory, writeHistory } from './history';
import { chooseInputs, parseInputs, readInputs, textInputs } from './inputs';
import { completions, findCommand, PromptError } from './prompt-commands';
import type { Question } from './question';
import { describeAnswer, describeSearch } from './report';
import type { AskOptions, QuerySession } from './session';
import { describeTook } from './stopwatch';

/** What can be typed. */
function welcome({ takesTexts }: QuerySession): string {
  const query = takesTexts ? 'a text' : 'a query as JSON: {"x": …, "y": …}';
  return `Type the id of a training example, or ${query}. \`:help\` says what else; \`:quit\` ends.`;
}

/** What a line at the prompt can see and change. */
export class Prompt {
  /** What was asked last, for `:explain`. */
  private last: readonly Question[] = [];

  constructor(
    readonly session: QuerySession,
    public options: AskOptions,
    private readonly pictures: boolean,
  ) {}

  /** Does what `line` says; false when that is to quit. @throws BergsonError */
  async take(line: string): Promise<boolean> {
    const text = line.trim();
    if (text === '') return true;
    if (text.startsWith(':')) return findCommand(text).run(this, text.split(/\s+/).slice(1), text);
    if (/^\d+$/.test(text)) await this.ask(this.session.fromExamples([Number(text)]));
    else if (/^[{[]/.test(text))
      await this.ask(await this.session.fromInputs(parseInputs('the prompt', text)));
    else if (this.session.takesTexts) await this.askText(text);
    else
      throw new PromptError(
        text,
        'neither an example id nor a query as JSON; `:help` says what can be asked',
      );
    return true;
  }

  async askExamples(examples: readonly number[]): Promise<void> {
    await this.ask(this.session.fromExamples(examples));
  }

  async askText(text: string): Promise<void> {
    await this.ask(await this.session.fromInputs(textInputs('the prompt', [text])));
  }

  async askFile(file: string, rows: readonly number[] | undefined): Promise<void> {
    await this.ask(await this.session.fromInputs(chooseInputs(file, readInputs(file), rows)));
  }

  /** The last question. @throws PromptError */
  lastQuestion(): Question {
    const question = this.last.at(-1);
    if (question === undefined) throw new PromptError(':explain', 'nothing has been asked yet');
    return question;
  }

  print(text: string): void {
    console.log(text);
  }

  private async ask(questions: readonly Question[]): Promise<void> {
    const answers = await this.session.ask(questions, this.options);
    this.last = questions;
    const columns = terminalColumns();
    const { stores } = this.session.attributor;
    for (const each of answers)
      this.print(describeAnswer(each, { columns, pictures: this.pictures, stores }));
    this.print(colors.dim(describeTook(this.session.took())));
  }
}

/** Reads lines from the terminal until `:quit`, Ctrl-D, or Ctrl-C on an empty line. */
export async function runPrompt(
  session: QuerySession,
  options: AskOptions,
  { pictures }: { readonly pictures: boolean },
): Promise<void> {
  const prompt = new Prompt(session, options, pictures);
  const layers = session.attributor.columns.map(({ layer }) => layer);
  const lines = readline.createInterface({
    input: process.stdin,
    output: process.stdout,
    prompt: colors.bold('bergson> '),
    history: readHistory(),
    removeHistoryDuplicates: true,
    completer: (line: string) => completions(line, layers),
  });
  let history: string[] = [];
  lines.on('history', (kept) => (history = kept));
  lines.on('SIGINT', () => {
    if (lines.line === '') lines.close();
    else lines.write(null, { ctrl: true, name: 'u' });
  });
  prompt.print(`${describeSearch(session.attributor)}\n${welcome(session)}`);
  lines.prompt();
  for await (const line of lines) {
    try {
      if (!(await prompt.take(line))) break;
    } catch (error) {
      if (!(error instanceof BergsonError)) throw error;
      prompt.print(colors.red(error.message));
    }
    lines.prompt();
  }
  lines.close();
  writeHistory(history);
}
