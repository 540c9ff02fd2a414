/** Prints which layers, which heads of them and which tokens a score comes from. */
import Table from 'cli-table3';
import { colors } from '../terminal/colors';
import { formatScore, paragraph, truncate } from '../terminal/layout';
import { listWords, markWords, toWords } from '../terminal/words';
import type { Explanation } from './session';
import type { SharesOrReason } from './token-shares';

/** Layers in the order of a row, each with its heads below it, and bars as long as they count. */
export function describeExplanation(explanation: Explanation, columns: number): string {
  const { run, store, example, score, layers, byToken } = explanation;
  const lines = withHeads(layers);
  const largest = Math.max(...lines.map((line) => Math.abs(line.score)), Number.MIN_VALUE);
  const table = new Table({
    head: ['layer', 'score', ''],
    style: { head: [], border: [], compact: true },
    colAligns: ['left', 'right', 'left'],
  });
  for (const line of lines) {
    const style = line.score > 0 ? colors.green : colors.red;
    const length = Math.round((BAR * Math.abs(line.score)) / largest);
    table.push([
      truncate(line.name, Math.max(BAR, columns - 2 * BAR - 14)),
      style(formatScore(line.score)),
      style('█'.repeat(length)),
    ]);
  }
  const title = `Example ${example} scores ${formatScore(score)} in ${run}, ${store}: the sum over layers`;
  return [
    '',
    colors.bold(title),
    table.toString(),
    ...(byToken === undefined
      ? []
      : [
          ...describeShares(`Example ${example}, token by token`, byToken.example),
          ...describeShares('The query, token by token', byToken.query),
        ]),
  ].join('\n');
}

/** The text with the words marked that add most to the score, and how much each of these adds. */
function describeShares(title: string, shares: SharesOrReason): string[] {
  if ('missing' in shares) return ['', paragraph(`${title}: not known, since ${shares.missing}`)];
  const { of, score, tokens } = shares;
  const words = toWords(tokens);
  const under = of === 'row' ? '' : ', under the model as it is after training';
  return [
    '',
    colors.bold(`${title}: ${formatScore(score)}${under}`),
    paragraph(markWords(words, score)),
    paragraph(colors.dim(listWords(words, score))),
  ];
}

const BAR = 20;
const HEAD = /^(.*)\.(head_\d+)$/;

interface Line {
  readonly name: string;
  readonly score: number;
}

/** A line for each layer and, below the sum of those that are split by head, one for each head. */
function withHeads(layers: Explanation['layers']): Line[] {
  const lines: Line[] = [];
  let parent: string | undefined;
  for (const { layer, score } of layers) {
    const [, path, head] = HEAD.exec(layer) ?? [];
    if (path === undefined || head === undefined) {
      lines.push({ name: layer, score });
    } else {
      if (path !== parent) lines.push({ name: path, score: sumOfHeads(layers, path) });
      lines.push({ name: `└ ${head}`, score });
    }
    parent = path;
  }
  return lines;
}

function sumOfHeads(layers: Explanation['layers'], path: string): number {
  return layers.reduce((sum, { layer, score }) => (HEAD.exec(layer)?.[1] === path ? sum + score : sum), 0);
}
