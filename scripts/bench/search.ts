/**
 * `npm run bench:search`: the ten best of made stores, exactly and through an index, beside numpy, FAISS and, where it is
 * installed, Bergson's own Attributor. Answers are verified before anything is timed; all take turns.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Table from 'cli-table3';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { innerProducts } from '../../lib/search/inner-products';
import { buildIndex, type BuiltIndex } from '../../lib/search/open-index';
import { TopK } from '../../lib/search/top-k';
import { GradientStoreReader } from '../../lib/store/reader';
import { sealStore } from '../../lib/store/seal';
import { packageRoot } from '../../kernels/package-root';
import { Contender, type Answer } from './search/contender';
import { spread } from './statistics';

const STORES = [
  { rows: 100_000, width: 4096 },
  { rows: 1_000_000, width: 512 },
];
const QUERIES = [1, 64];

/** Peers sum in float32: relative to the largest score of a query. */
const PEERS_ROUNDING = 1e-4;

/** Of the 64 queries, those compared with a float64 scan in plain JavaScript. */
const VERIFIED = 4;

interface Row {
  readonly store: string;
  readonly name: string;
  readonly loaded: number;
  /** The first query with nothing of the file in the page cache; null where the rows are held in memory. */
  readonly cold: number | null;
  readonly times: readonly number[][];
  readonly peakMegabytes: number;
}

async function main(): Promise<void> {
  const { repeats, python, recall, shrink } = await yargs(hideBin(process.argv))
    .usage('$0 times searches of made stores, and of their index, beside other programs')
    .option('repeats', { type: 'number', default: 9 })
    .option('recall', { type: 'number', default: 0.99, describe: 'What the index is to reach' })
    .option('python', {
      type: 'string',
      describe:
        'Interpreter with numpy, faiss and perhaps bergson; by default one is made with the first two',
    })
    .option('shrink', {
      type: 'number',
      default: 1,
      describe: 'Divides the numbers of rows, to try this out',
    })
    .strict()
    .parse();
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'bergson-bench-'));
  try {
    const interpreter = python ?? makeEnvironment(path.join(temporary, 'venv'));
    for (const { rows, width } of STORES) {
      const directory = path.join(temporary, `${rows}`);
      await compare(interpreter, directory, Math.floor(rows / shrink), width, repeats, recall);
      fs.rmSync(directory, { recursive: true });
    }
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true });
  }
}

function makeEnvironment(directory: string): string {
  execFileSync('python3', ['-m', 'venv', directory]);
  const interpreter = path.join(directory, 'bin', 'python');
  execFileSync(interpreter, ['-m', 'pip', 'install', '--quiet', 'numpy', 'faiss-cpu']);
  return interpreter;
}

async function compare(
  python: string,
  directory: string,
  rows: number,
  width: number,
  repeats: number,
  recall: number,
): Promise<void> {
  const script = path.join(packageRoot(), 'scripts', 'bench', 'search', 'peers.py');
  execFileSync(python, [script, 'make', directory, `${rows}`, `${width}`]);
  await sealStore(directory);
  const start = performance.now();
  const built = await buildIndex(directory, { recall });
  const building = performance.now() - start;
  const serve = path.join(__dirname, 'search', 'serve.js');
  const commands: Record<string, string[]> = {
    exact: [process.execPath, serve, directory, 'exact'],
    index: [process.execPath, serve, directory, 'projected'],
    numpy: [python, script, 'numpy', directory],
    'FAISS Flat': [python, script, 'faiss', directory],
  };
  if (spawnSync(python, ['-c', 'import bergson']).status === 0) {
    commands.Bergson = [python, script, 'bergson', directory];
  }
  const forget = () => {
    execFileSync(python, [script, 'forget', path.join(directory, 'gradients.bin')]);
    execFileSync(python, [script, 'forget', path.join(directory, 'index', 'projected.bin')]);
  };
  const store = `${rows.toLocaleString('en')} x ${width}`;
  const measured: Row[] = [];
  const contenders: Contender[] = [];
  try {
    const expected = oracle(directory);
    for (const [name, command] of Object.entries(commands)) {
      const contender = await Contender.start(name, command);
      contenders.push(contender);
      verify(name, await contender.ask(64), expected);
    }
    const times = contenders.map(() => QUERIES.map((): number[] => []));
    const peaks = contenders.map(() => 0);
    for (let repeat = 0; repeat < repeats; repeat++) {
      for (const [at, queries] of QUERIES.entries()) {
        for (let turn = 0; turn < contenders.length; turn++) {
          const i = (turn + repeat) % contenders.length;
          const answer = await contenders[i]?.ask(queries);
          times[i]?.[at]?.push(answer?.ms ?? NaN);
          peaks[i] = Math.max(peaks[i] ?? 0, answer?.peakMegabytes ?? NaN);
        }
      }
    }
    for (const [i, { name, loaded }] of contenders.entries()) {
      let cold: number | null = null;
      if (name === 'exact' || name === 'index') {
        forget();
        cold = (await contenders[i]?.ask(1))?.ms ?? NaN;
      }
      measured.push({ store, name, loaded, cold, times: times[i] ?? [], peakMegabytes: peaks[i] ?? NaN });
    }
  } finally {
    await Promise.all(contenders.map((contender) => contender.stop()));
  }
  console.log(format(measured));
  console.log(`${describeIndex(built)}; built, with its certificate, in ${(building / 1000).toFixed(0)} s`);
}

/** The best ten of the first queries by a float64 sum over every row. */
function oracle(directory: string): { example: number; score: number }[][] {
  const store = GradientStoreReader.open(directory);
  const bytes = fs.readFileSync(path.join(directory, 'queries.f32'));
  const numbers = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const { width } = store;
  const queries = Array.from({ length: VERIFIED }, (_, i) => numbers.subarray(i * width, (i + 1) * width));
  const rankings = queries.map(() => new TopK(10, 1));
  const scores = new Float64Array(VERIFIED);
  for (const { first, count, rows } of store.blocks()) {
    for (let row = 0; row < count; row++) {
      innerProducts(
        rows.subarray(row * width, (row + 1) * width),
        queries,
        [{ begin: 0, end: width }],
        scores,
      );
      rankings.forEach((ranking, i) => {
        ranking.push(first + row, scores[i] ?? NaN);
      });
    }
  }
  store.close();
  return rankings.map((ranking) => ranking.sorted());
}

/** @throws Error when an answer is wrong: to the bit for `exact`, within the peers' rounding for others */
function verify(
  name: string,
  answer: Answer,
  expected: readonly { example: number; score: number }[][],
): void {
  expected.forEach((best, query) => {
    const allowed = name === 'exact' ? 0 : PEERS_ROUNDING * Math.abs(best[0]?.score ?? 0);
    best.forEach(({ score }, i) => {
      const found = answer.scores[query]?.[i] ?? NaN;
      if (Math.abs(found - score) <= allowed) return;
      throw new Error(
        `${name}: hit ${i} of query ${query} scores ${found} where a float64 scan finds ${score}`,
      );
    });
  });
}

function describeIndex({ certificate }: BuiltIndex): string {
  if (certificate === undefined) return 'the index has no certificate';
  const { k, queries, recall, lowerBound } = certificate;
  return `index: recall@${k} ${recall.toFixed(4)}, at least ${lowerBound.toFixed(4)} at 95 % confidence, ${queries} queries of each sort`;
}

function format(rows: readonly Row[]): string {
  const head = [
    'store',
    'search',
    'load, s',
    'cold, ms',
    ...QUERIES.map((n) => `${n} at once, ms`),
    'peak MB',
  ];
  const table = new Table({
    head,
    style: { head: [], border: [] },
    colAligns: head.map((_, i) => (i < 2 ? 'left' : 'right')),
  });
  for (const { store, name, loaded, cold, times, peakMegabytes } of rows) {
    const spreads = times.map((of) => {
      const { median, lowerQuartile, upperQuartile } = spread(of);
      return `${median.toFixed(1)} (${lowerQuartile.toFixed(1)} to ${upperQuartile.toFixed(1)})`;
    });
    const load = (loaded / 1000).toFixed(1);
    table.push([store, name, load, cold?.toFixed(0) ?? '', ...spreads, peakMegabytes.toFixed(0)]);
  }
  return table.toString();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
