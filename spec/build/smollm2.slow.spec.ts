/** A real model from end to end: 200 passages of State of the Union addresses under SmolLM2-135M, and where sentences came from. */
import fs from 'node:fs';
import path from 'node:path';
import { loadAddresses } from '../../scripts/demo-lm/addresses';
import { toPassages } from '../../scripts/demo-lm/passages';
import { sentencesOf } from '../../scripts/demo-lm/sentences';
import type { QueryDocument } from '../../scripts/query/document';
import { SetupError } from '../../scripts/setup/errors';
import { writeJsonl } from '../datasets/support';
import { runBergson } from '../support/run-bergson';
import { writeSmolLM2 } from '../support/smollm2';
import { temporaryDirectory } from '../support/temporary-directory';

const PASSAGES = 200;
const TOKENS = 48;
const ASKED = 10;

const directory = temporaryDirectory();

/** The latest passages, or undefined and a word of why where they cannot be had. */
async function latestPassages() {
  try {
    return (await loadAddresses()).flatMap(toPassages).slice(-PASSAGES);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`skipped SmolLM2 on addresses: ${error.message}\n`);
    return undefined;
  }
}

it('builds, and finds the passages that sentences are from', async () => {
  const passages = await latestPassages();
  const model = path.join(directory, 'model');
  fs.mkdirSync(model);
  if (passages === undefined || !writeSmolLM2(model)) return;
  const dataset = writeJsonl(
    directory,
    'passages.jsonl',
    passages.map(({ text, year }) => ({ text, year })),
  );
  const run = path.join(directory, 'run');
  const built = runBergson([
    ...['build', run, '--model', model, '--dataset', dataset, '--text-column', 'text', '--json'],
    // A batch's logits over 49,152 tokens are most of the memory.
    ...[
      '--context-length',
      `${TOKENS}`,
      '--token-batch-size',
      '384',
      '--normalizer-sample',
      '32',
      '--no-index',
    ],
  ]);
  expect(built.stderr).toBe('');
  expect(JSON.parse(built.stdout)).toMatchObject({ computed: PASSAGES, failed: [] });

  const asked = sentencesOf(passages, ASKED, 1);
  const query = runBergson([
    ...['query', run, '-k', '1', '--unit-norm', '--json'],
    ...asked.flatMap(({ sentence }) => ['--text', sentence]),
  ]);
  expect(query.stderr).toBe('');
  const { queries } = JSON.parse(query.stdout) as QueryDocument;
  expect(queries.map(({ highest }) => highest[0]?.example)).toEqual(asked.map(({ passage }) => passage));
}, 900_000);
