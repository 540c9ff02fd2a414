/** How far the gradients of a run, and what is searched of them, are to be trusted: one line a question, each with a verdict. */
import Table from 'cli-table3';
import type { RunManifest } from '../../lib/run/run-manifest';
import { RECALL_THRESHOLD } from '../../lib/search/open-index';
import type { RunCheck } from '../../lib/verification/run-check';
import { colors } from '../terminal/colors';
import type { StoreDiagnosis } from './run-diagnosis';

export type Verdict = 'good' | 'doubtful' | 'bad' | 'unknown';

export interface TrustLine {
  readonly question: string;
  readonly finding: string;
  readonly verdict: Verdict;
}

/** What float32 leaves of central differences, and of sums in another order; see `GradientCheck`. */
const DIFFERENCES = 1e-2;
const ROUNDING = 1e-4;
/** Energy that float16 takes from rows whose numbers lie within its range: (2^-11)², and for small ones more. */
const ENERGY_LOST = 1e-5;

/** Of a run, the store of it that is searched, and what was checked with it. */
export function trustLines(
  run: RunManifest,
  store: StoreDiagnosis | undefined,
  check: RunCheck | undefined,
): TrustLine[] {
  const unchecked = { finding: 'not checked; --examples FILE does', verdict: 'unknown' } as const;
  return [
    coverageLine(run),
    rowsLine(store),
    precisionLine(run, store),
    { question: 'gradients against finite differences', ...(check ? differences(check) : unchecked) },
    { question: 'gradients against batches of one', ...(check ? alone(check) : unchecked) },
    { question: 'rows whatever the batch', ...(check ? invariance(check) : unchecked) },
    indexLine(store),
    ...dampingLine(store),
  ];
}

export function tabulateTrust(lines: readonly TrustLine[]): string {
  const table = new Table({
    head: ['how far to trust it', 'found', 'verdict'],
    style: { head: [], border: [], compact: true },
  });
  for (const { question, finding, verdict } of lines)
    table.push([question, finding, STYLES[verdict](verdict)]);
  return table.toString();
}

const STYLES: Readonly<Record<Verdict, (text: string) => string>> = {
  good: colors.green,
  doubtful: colors.yellow,
  bad: colors.red,
  unknown: colors.dim,
};

function coverageLine({ coverage: { attributed, trained } }: Pick<RunManifest, 'coverage'>): TrustLine {
  const finding = `${attributed} of ${trained} trained parameters attributed`;
  return { question: 'coverage', finding, verdict: attributed === trained ? 'good' : 'doubtful' };
}

function rowsLine(store: StoreDiagnosis | undefined): TrustLine {
  const question = 'rows';
  if (store === undefined) return { question, finding: 'no store', verdict: 'bad' };
  const { name, rows, rowsWritten, state } = store;
  const whole = rows === rowsWritten && state === 'complete';
  const finding = `${rowsWritten} of ${rows} in ${name}, which is ${state}`;
  return { question, finding, verdict: whole ? 'good' : 'doubtful' };
}

function precisionLine({ dtype }: Pick<RunManifest, 'dtype'>, store: StoreDiagnosis | undefined): TrustLine {
  const question = 'precision of rows';
  if (dtype === 'float32') return { question, finding: 'float32, as computed', verdict: 'good' };
  const lost = store?.energyLost ?? null;
  if (lost === null) return { question, finding: `${dtype}, energy lost not known`, verdict: 'unknown' };
  const finding = `${dtype}, which lost ${lost.toExponential(1)} of their energy`;
  return { question, finding, verdict: lost <= ENERGY_LOST ? 'good' : 'doubtful' };
}

function differences({ gradients, examples }: RunCheck): Omit<TrustLine, 'question'> {
  const worst = gradients.reduce((most, each) => (each.differences > most.differences ? each : most));
  return judge(worst.differences, DIFFERENCES, `${worst.path}, on ${examples} examples`);
}

function alone({ gradients, examples }: RunCheck): Omit<TrustLine, 'question'> {
  const worst = gradients.reduce((most, each) => (each.alone > most.alone ? each : most));
  return judge(worst.alone, ROUNDING, `${worst.path}, on ${Math.min(2, examples)} examples`);
}

function invariance({ batchInvariance, examples }: RunCheck): Omit<TrustLine, 'question'> {
  return judge(batchInvariance, ROUNDING, `a batch of ${examples} and batches of one`);
}

function judge(error: number, allowed: number, where: string): Omit<TrustLine, 'question'> {
  const finding = `largest relative error ${error.toExponential(1)} (${where})`;
  return { finding, verdict: error <= allowed ? 'good' : 'bad' };
}

/** Above this, what an inverse makes of float32 rows is rounding. */
const CONDITION = 1e6;

/** Nothing where nothing is preconditioned. */
function dampingLine(store: StoreDiagnosis | undefined): TrustLine[] {
  const question = 'inverse curvature';
  const preconditioner = store?.preconditioner ?? null;
  if (preconditioner === null) return [];
  if (typeof preconditioner === 'string') return [{ question, finding: preconditioner, verdict: 'bad' }];
  const { damping, layers, examples } = preconditioner;
  const conditions = layers.flatMap(({ condition }) => condition ?? []);
  const worst = Math.max(1, ...conditions);
  const widest = Math.max(...layers.map(({ width }) => width));
  const few = examples < widest ? `, of ${examples} examples for ${widest} columns` : '';
  const finding = `damping ${damping} of the mean eigenvalue, condition numbers up to ${worst.toExponential(1)}${few}`;
  return [{ question, finding, verdict: worst <= CONDITION && few === '' ? 'good' : 'doubtful' }];
}

function indexLine(store: StoreDiagnosis | undefined): TrustLine {
  const question = 'search';
  const index = store?.index ?? null;
  if (!index?.used) return { question, finding: 'exact', verdict: 'good' };
  const { k, recall, lowerBound } = index.recall ?? { k: NaN, recall: NaN, lowerBound: NaN };
  const finding = `index of recall@${k} ${recall.toFixed(3)}, at least ${lowerBound.toFixed(3)}`;
  return { question, finding, verdict: lowerBound >= RECALL_THRESHOLD ? 'good' : 'doubtful' };
}
