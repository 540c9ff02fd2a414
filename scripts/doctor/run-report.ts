/** Prints what a run knows of itself for people. */
import Table from 'cli-table3';
import type { Coverage, LayerCoverage } from '../../lib/capture/coverage';
import { RECALL_THRESHOLD } from '../../lib/search/open-index';
import type { FrozenPass } from '../../lib/run/run-manifest';
import { colors } from '../terminal/colors';
import { paragraph } from '../terminal/layout';
import { describePreconditioner } from './preconditioner-report';
import type { IndexDiagnosis, RunDiagnosis, StoreDiagnosis } from './run-diagnosis';
import { tabulateTrust } from './trust-report';

/** The whole report; `description` is the run's own sentence. */
export function describeRun(run: RunDiagnosis, description: string): string {
  return [
    paragraph(`${colors.bold(run.run)} is ${description}.`),
    '',
    ...facts(run).map(([name, detail]) => colors.bold(name.padEnd(NAME_WIDTH)) + detail),
    ...(run.stores.length === 0 ? [] : [tabulateStores(run)]),
    ...run.stores.flatMap(({ name, preconditioner }) =>
      preconditioner === null ? [] : describePreconditioner(name, preconditioner),
    ),
    tabulateLayers(run.coverage.layers),
    tabulateTrust(run.trust),
    ...describeCoverage(run.coverage),
  ].join('\n');
}

const NAME_WIDTH = 12;

/** What is known without looking into stores. */
type RunFacts = Omit<RunDiagnosis, 'coverage' | 'stores' | 'trust'>;

/** What a run was made with. */
export function facts(run: RunFacts): [name: string, detail: string][] {
  const { versions, projection, includeBias, accumulate } = run;
  const seeded = projection.projectionType === 'bergson' ? '' : `, seed ${projection.seed}`;
  const projected =
    projection.projectionDim === 'exact'
      ? 'not projected'
      : `projected to ${projection.projectionDim} a side${projection.projectionTarget === 'global' ? ', all layers together' : ''} (${projection.projectionType}${seeded})`;
  return [
    [
      'made',
      `${run.created} by tfjs-bergson ${versions['tfjs-bergson']}, TensorFlow.js ${versions.tfjs}, ` +
        `Node ${versions.node}, on ${run.backend}`,
    ],
    ...(run.frozen === null ? factsOfTraining(run) : factsOfFrozen(run.frozen)),
    [
      'rows',
      `${run.dtype}, ${projected}, ` +
        `${describeNormalizer(run)}, ` +
        `${describeBiases(includeBias)}${accumulate ? ', summed over epochs' : ''}`,
    ],
  ];
}

function describeNormalizer({
  normalizer,
  optimizer,
  scaledByLearningRate,
}: Pick<RunDiagnosis, 'normalizer' | 'optimizer' | 'scaledByLearningRate'>): string {
  const divided =
    normalizer === 'none'
      ? 'not normalized'
      : normalizer === 'identity'
        ? `normalized by nothing (identity), as ${optimizer ?? 'the optimizer'} divides gradients by nothing`
        : `normalized by ${normalizer}`;
  return scaledByLearningRate ? `${divided}, multiplied by the step’s learning rate` : divided;
}

function factsOfTraining(run: RunFacts): [name: string, detail: string][] {
  const { optimizer, losses, order } = run;
  const torn = order?.tornBytes ? `; the last is cut off, ${order.tornBytes} bytes` : '';
  return [
    [
      'training',
      `${optimizer ?? 'an optimizer that was not named'}, ` +
        `loss ${losses.map((loss) => loss ?? 'without a name').join(', ')}`,
    ],
    ['epochs', describeEpochs(run)],
    ['order', order === null ? 'not tracked' : `${order.steps} steps${torn}`],
  ];
}

function factsOfFrozen({ attribute, lossReduction, model }: FrozenPass): [name: string, detail: string][] {
  const of = { sum: 'the sum over tokens', mean: 'the mean over tokens' };
  return [
    ['model', model === null ? 'kept in the run' : `${model.architecture ?? 'a model'}, ${model.path}`],
    ['loss', lossReduction === null ? 'computed by a program' : of[lossReduction]],
    ['attributed', attribute],
  ];
}

function describeBiases(includeBias: RunDiagnosis['includeBias']): string {
  if (typeof includeBias === 'boolean') return `biases ${includeBias ? 'included' : 'left out'}`;
  return `biases of ${includeBias.join(', ')} included`;
}

function describeEpochs({ epochs }: Pick<RunDiagnosis, 'epochs'>): string {
  const [first, last] = [epochs[0], epochs.at(-1)];
  if (first === undefined || last === undefined) return 'none is finished';
  const steps = epochs.reduce((sum, epoch) => sum + epoch.steps, 0);
  const which = first === last ? `epoch ${first.epoch}` : `epochs ${first.epoch} to ${last.epoch}`;
  return `${which}, ${steps} steps, ${last.rows} rows in the last`;
}

function tabulateStores({ stores }: RunDiagnosis): string {
  const table = newTable(['store', 'state', 'rows', 'numbers a row', 'index'], [2, 3]);
  for (const store of stores) {
    table.push([store.name, store.state, describeRows(store), `${store.width}`, describeIndex(store.index)]);
  }
  return table.toString();
}

function describeRows({ rows, rowsWritten }: StoreDiagnosis): string {
  return rows === rowsWritten ? `${rows}` : `${rowsWritten} of ${rows}`;
}

export function describeIndex(index: IndexDiagnosis | null): string {
  if (index === null) return 'none: searched exactly';
  if (index.problem !== null) return colors.red(`unusable: ${index.problem}`);
  if (index.recall === null) return 'its recall was never measured: searched exactly';
  const { k, recall, lowerBound } = index.recall;
  const short = index.used ? '' : `, short of ${RECALL_THRESHOLD}: searched exactly`;
  return `recall@${k} ${recall.toFixed(3)}, at least ${lowerBound.toFixed(3)}${short}`;
}

function tabulateLayers(layers: readonly LayerCoverage[]): string {
  const table = newTable(['layer', 'class', 'parameters', 'trained', 'attributed', 'remark'], [2, 3, 4]);
  for (const layer of layers) {
    const { path, className, parameters, trained, attributed, fallback, reason } = layer;
    const style = attributed < trained ? colors.red : (text: string) => text;
    const numbers = [`${parameters}`, `${trained}`, style(`${attributed}`)];
    table.push([path, className, ...numbers, style(reason ?? (fallback ? 'by the fallback' : ''))]);
  }
  return table.toString();
}

/** That all of the model is attributed, or loudly what is not. */
function describeCoverage({ attributed, trained, layers }: Coverage): string[] {
  if (attributed === trained) {
    return [colors.green(`100 % of ${trained} trained parameters are attributed.`)];
  }
  const share = ((100 * attributed) / trained).toFixed(1);
  const missing = layers.filter((layer) => layer.attributed < layer.trained);
  return [
    colors.red(
      colors.bold(
        `${trained - attributed} of ${trained} trained parameters are NOT attributed; ${share} % are. Missing:`,
      ),
    ),
    ...missing.map((layer) =>
      colors.red(
        `  ${layer.path} (${layer.className}): ${layer.trained - layer.attributed}, ${layer.reason ?? ''}`,
      ),
    ),
  ];
}

function newTable(head: string[], numeric: readonly number[]) {
  return new Table({
    head,
    style: { head: [], border: [], compact: true },
    colAligns: head.map((_, column) => (numeric.includes(column) ? 'right' : 'left')),
  });
}
