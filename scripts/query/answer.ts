/** `bergson query` with a question on its command line, or at a prompt. */
import type { ArgumentsCamelCase } from 'yargs';
import type { BergsonError } from '../../lib/errors';
import { colors } from '../terminal/colors';
import { terminalColumns } from '../terminal/layout';
import { writeCsv } from './csv';
import { toDocument } from './document';
import { describeExplanation } from './explanation';
import { chooseInputs, readConversation, readInputs, textInputs } from './inputs';
import { runPrompt } from './prompt';
import type { QueryArguments } from './query-arguments';
import type { Question } from './question';
import { describeAnswer, describeSearch } from './report';
import { QuerySession, type AskOptions, type Explanation } from './session';
import { describeTook } from './stopwatch';
import { onTruncated } from './truncation';

export async function answer(args: ArgumentsCamelCase<QueryArguments>): Promise<void> {
  const { layers, unitNorm, lowest, epochs, aggregate, engine, precondition, otherWeights } = args;
  const session = await QuerySession.open(args.run, {
    store: args.store?.length === 1 ? args.store[0] : args.store,
    engine,
    precondition,
    otherWeights,
    model: args.model,
    onDamage: warn,
    onTruncated,
  });
  const k = args.k ?? Math.max(1, Math.min(FEW, session.attributor.rows));
  const options: AskOptions = { k, layers, unitNorm, lowest, epochs, aggregate };
  try {
    if ([args.example, args.text, args.conversation, args.input].every((each) => each === undefined))
      await runPrompt(session, options, args);
    else await answerOnce(session, await questionsOf(session, args), options, args);
  } finally {
    await session.close();
  }
}

function questionsOf(
  session: QuerySession,
  args: ArgumentsCamelCase<QueryArguments>,
): Question[] | Promise<Question[]> {
  if (args.text !== undefined) {
    const goOn = args.generate ? { goOnFor: args['max-tokens'] } : {};
    return session.fromInputs(textInputs('--text', args.text).map((input) => ({ ...input, ...goOn })));
  }
  const { conversation, input, conversationColumn: column } = args;
  if (conversation !== undefined) return session.fromInputs(readConversation(conversation, column));
  if (input === undefined) return session.fromExamples(args.example ?? []);
  return session.fromInputs(chooseInputs(input, readInputs(input, column), args.row));
}

async function answerOnce(
  session: QuerySession,
  questions: readonly Question[],
  options: AskOptions,
  { json, csv, explain, tokens, pictures }: QueryArguments,
): Promise<void> {
  const answers = await session.ask(questions, options);
  const took = session.took();
  const explanations: Explanation[][] = [];
  for (const question of explain === undefined ? [] : questions)
    explanations.push(await session.explain(question, explain ?? 0, { ...options, tokens }));
  if (csv !== undefined) writeCsv(csv, answers);
  if (json) {
    console.log(JSON.stringify(toDocument(session, options, took, answers, explanations), undefined, 2));
    return;
  }
  const columns = terminalColumns();
  const { stores } = session.attributor;
  console.log(describeSearch(session.attributor));
  answers.forEach((each, i) => {
    console.log(describeAnswer(each, { columns, pictures, stores }));
    for (const explanation of explanations[i] ?? []) console.log(describeExplanation(explanation, columns));
  });
  console.log(colors.dim(describeTook(took)));
}

/** Examples shown at each end, unless told otherwise. */
const FEW = 5;

const warned = new Set<string>();

/** Damage to what is only shown, once each. */
function warn({ message }: BergsonError): void {
  if (warned.has(message)) return;
  warned.add(message);
  console.error(colors.yellow(`left out: ${message}`));
}
