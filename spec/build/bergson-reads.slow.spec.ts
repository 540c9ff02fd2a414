/** Bergson itself on an index that was built here; skipped where no Python has it. BERGSON_PYTHON names one that does. */
import { execFileSync, spawnSync } from 'node:child_process';
import path from 'node:path';
import { Attributor, buildRun, GradientStoreReader, type Run } from '../../callbacks';
import { writeJsonl } from '../datasets/support';
import { relativeError } from '../support/closeness';
import { runScript } from '../support/run-bergson';
import { temporaryDirectory } from '../support/temporary-directory';
import { configs, ROWS, silent } from './support';

const PYTHON = process.env.BERGSON_PYTHON ?? 'python3';
const installed = spawnSync(PYTHON, ['-c', 'import bergson']).status === 0;
if (!installed) console.warn(`skipped: ${PYTHON} has no bergson (set BERGSON_PYTHON to one that has)`);
const whereInstalled = installed ? it : it.skip;

const directory = temporaryDirectory();
/** Bergson does not know of rows that are missing. */
const TEXTS = ROWS.filter(({ text }) => text !== '');
const dataset = writeJsonl(directory, 'whole.jsonl', TEXTS);
const config = configs(directory);

function python(script: string, directory: string): unknown {
  const printed = execFileSync(PYTHON, ['-c', script], {
    cwd: directory,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(printed.trim().split('\n').at(-1) ?? '');
}

/** A search of the index for each of its own rows, by cosine; the gradients need no processing again. */
const SEARCH = `
import json, torch
from bergson.data import column_offsets, load_gradients
from bergson.gradients import GradientProcessor
from bergson.query.attributor import Attributor
from pathlib import Path

GradientProcessor(projection_dim=4).save(Path("."))
sizes = json.load(open("info.json"))["grad_sizes"]
rows = torch.tensor(load_gradients(".").copy())
attributor = Attributor(".", unit_norm=True)
queries = {name: rows[:, low:high].clone() for name, (low, high) in column_offsets(sizes).items()}
scores, indices = attributor.search(queries, 3)
print(json.dumps({"rows": rows.tolist(), "layers": list(sizes), "scores": scores.tolist(), "indices": indices.tolist()}))
`;

interface Searched {
  readonly rows: number[][];
  readonly layers: string[];
  readonly scores: number[][];
  readonly indices: number[][];
}

/** Has Bergson read a run's rows and search them by each of themselves, and compares. */
async function expectSameFound(run: Run): Promise<void> {
  const { rows, layers, scores, indices } = python(SEARCH, run.storeDirectory()) as Searched;
  const attributor = await Attributor.open(run.path);
  expect(rows).toHaveLength(attributor.rows);
  expect(layers).toEqual(run.manifest.layers.map(({ path }) => path));
  for (let example = 0; example < attributor.rows; example++) {
    const row = attributor.row(example);
    expect(rows[example]).toEqual([...row]);
    const norm = Math.hypot(...row);
    const query = row.map((value) => value / norm);
    const [trace] = await attributor.search([query], { k: 3, unitNorm: true });
    expect(trace?.highest.map((hit) => hit.example)).toEqual(indices[example]);
    const expected = trace?.highest.map(({ score }) => score) ?? [];
    // Bergson multiplies and sums in float32.
    expect(relativeError(scores[example] ?? [], expected)).toBeLessThan(1e-5);
  }
  await attributor.close();
}

whereInstalled(
  'reads the rows of a build by its own loader, and finds the same ones',
  async () => {
    const { run } = await buildRun(config({ dataset, normalizer: 'adafactor' }), silent);
    await expectSameFound(run);
  },
  300_000,
);

whereInstalled(
  "does so of the language demo's passages under the demo's model",
  async () => {
    const demo = path.join(directory, 'demo');
    const trained = runScript('demo-lm.ts', ['--passages', '150', '--epochs', '1', '--path', demo]);
    if (trained.stderr.startsWith('demo:lm: ')) {
      process.stderr.write(`skipped the passages of the demo: ${trained.stderr}`);
      return;
    }
    expect(trained.code).toBe(0);
    const passages = path.join(`${demo}-data`, 'passages.jsonl');
    const given = {
      model: path.join(demo, 'model'),
      dataset: passages,
      tokenBatchSize: 2048,
      projectionDim: 8,
    };
    const { run, counts } = await buildRun(config({ ...given, normalizer: 'adafactor' }), silent);
    expect(counts).toMatchObject({ examples: 150, skipped: [] });
    await expectSameFound(run);
  },
  600_000,
);

const TOKENS = `
import json, numpy as np
from pathlib import Path
from bergson.data import load_token_gradients
rows, counts, offsets = load_token_gradients(Path("."))
print(json.dumps({"counts": counts.tolist(), "rows": np.asarray(rows).tolist()}))
`;

whereInstalled(
  'reads the rows of tokens, and whose they are',
  async () => {
    const { run } = await buildRun(config({ dataset, attribute: 'tokens' }), silent);
    const { counts, rows } = python(TOKENS, run.storeDirectory()) as { counts: number[]; rows: number[][] };
    const store = GradientStoreReader.open(run.storeDirectory());
    const own = counts.map((_, example) => {
      const [first, end] = store.tokens?.rowsOf(example) ?? [0, 0];
      return end - first;
    });
    expect(counts).toEqual(own);
    expect(rows).toEqual(Array.from({ length: store.rows }, (_, row) => [...store.row(row)]));
    store.close();
  },
  300_000,
);
