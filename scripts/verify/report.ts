/** Prints what unlearning showed of scores, for people. */
import Table from 'cli-table3';
import type { Attributor } from '../../lib/attributor';
import type { Agreement, Verification } from '../../lib/verification/verify';
import { colors } from '../terminal/colors';
import { formatScore, paragraph } from '../terminal/layout';
import { drawScatter } from '../terminal/scatter';

const PLOT = { columns: 60, rows: 21 };
/** Rows of the table at each end. */
const SHOWN = 5;

export function describeVerification({ run, store }: Attributor, verification: Verification): string {
  const { examples, predicted, score } = verification;
  const points = examples.map((each) => ({ x: each.predicted, y: each.measured }));
  return [
    paragraph(
      `${examples.length} training examples of ${colors.bold(run.path)} were unlearned one at a time, each by one step of ` +
        "gradient ascent on its own loss from the model's weights. Shown is what the query's loss rose by for each unit of " +
        "the step's learning rate: positive means that training on the example had lowered it.",
    ),
    tabulate(verification),
    'measured (up) against predicted by exact gradients (right), axes logarithmic away from 0:',
    ...drawScatter(points, PLOT.columns, PLOT.rows),
    `exact gradients predict what was measured: ${describeAgreement(predicted)}`,
    `scores of ${store}, projected and from training: ${describeAgreement(score)}`,
  ].join('\n');
}

function tabulate({ examples }: Verification): string {
  const ranked = [...examples].sort((a, b) => b.score - a.score);
  const shown = ranked.length <= 2 * SHOWN ? ranked : [...ranked.slice(0, SHOWN), ...ranked.slice(-SHOWN)];
  const table = new Table({
    head: ['example', 'score in the run', 'predicted', 'measured'],
    style: { head: [], border: [], compact: true },
    colAligns: ['right', 'right', 'right', 'right'],
  });
  for (const { example, score, predicted, measured } of shown) {
    table.push([`${example}`, ...[score, predicted, measured].map(formatScore)]);
  }
  return table.toString();
}

function describeAgreement({ pearson, spearman }: Agreement): string {
  return `Spearman ${spearman.toFixed(4)}, Pearson ${pearson.toFixed(4)}`;
}
