import tf = require('@tensorflow/tfjs');
import { buildRun, loadCausalLM, openDataset } from '../../../callbacks';
import { languageBatch } from '../../../lib/build/language-batches';
import { NO_LOSS } from '../../../lib/datasets/document';
import { generate } from '../../../lib/models/generate';
import type { QueryDocument } from '../../../scripts/query/document';
import { QueryInputError } from '../../../scripts/query/errors';
import { textInputs } from '../../../scripts/query/inputs';
import { QuerySession } from '../../../scripts/query/session';
import { configs, ROWS, silent } from '../../build/support';
import { all } from '../../datasets/support';
import { relativeError, ROUNDING } from '../../support/closeness';
import { runBergson } from '../../support/run-bergson';
import { temporaryDirectory } from '../../support/temporary-directory';

const config = configs(temporaryDirectory());
const PROMPT = ROWS[0]!.text;
const TOKENS = 6;
let run: string;
beforeAll(async () => {
  ({ path: run } = (await buildRun(config(), silent)).run);
});

it('asks by the tokens that the model goes on with, the loss of which alone counts', async () => {
  const before = tf.memory().numTensors;
  const session = await QuerySession.open(run, { engine: 'exact', onTruncated: () => undefined });
  const [input] = textInputs('here', [PROMPT]);
  const [question] = await session.fromInputs([{ ...input!, goOnFor: TOKENS }]);

  const { model, dataset } = config();
  const lm = await loadCausalLM(model);
  const texts = await openDataset(dataset, { contextLength: 64, tokenizer: model, textColumn: 'text' });
  const prompt = (await all(texts.examples()))[0]!.inputIds;
  await texts.close();
  const ids = await generate(lm, prompt, { maxTokens: TOKENS });
  const inputIds = Int32Array.of(...prompt, ...ids);
  const labels = inputIds.map((id, i) => (i < prompt.length ? NO_LOSS : id));
  const { loss } = languageBatch(lm, [{ id: 0, inputIds, labels, record: {} }], 'sum');
  const [row] = await session.attributor.queryRows(lm.model, loss);
  expect(relativeError(question!.row, row!)).toBeLessThan(ROUNDING);
  expect(question!.record).toMatchObject({ prompt: PROMPT });
  lm.model.dispose();
  await session.close();
  expect(tf.memory().numTensors).toBe(before);
});

it('does so from the command line, with what `bergson generate` shows', () => {
  const limit = ['--max-tokens', `${TOKENS}`];
  const shown = runBergson(['generate', config().model, '--text', PROMPT, ...limit, '--json']);
  expect(shown.stderr).toBe('');
  const { completion } = JSON.parse(shown.stdout) as { completion: string };
  const asked = runBergson(['query', run, '--generate', '--text', PROMPT, ...limit, '--json']);
  expect(asked.stderr).toBe('');
  const { queries } = JSON.parse(asked.stdout) as QueryDocument;
  expect(queries[0]!.record).toEqual({ prompt: PROMPT, completion, text: PROMPT + completion });
});

it('says where there is no room, and what there is to go on with', async () => {
  const session = await QuerySession.open(run, { engine: 'exact', onTruncated: () => undefined });
  const [input] = textInputs('here', [ROWS[4]!.text]);
  const asked = session.fromInputs([{ ...input!, goOnFor: TOKENS }]);
  await expect(asked).rejects.toThrow(QueryInputError);
  await expect(asked).rejects.toThrow('here: leaves no room: the context is of 64 tokens');
  await session.close();
  const { code, stderr } = runBergson(['query', run, '--generate', '--example', '1']);
  expect(code).toBe(2);
  expect(stderr).toContain('--generate goes on with each --text.');
});
