/** Prints which layers, and which heads of them, a score comes from. */
import Table from 'cli-table3';
import { colors } from '../terminal/colors';
import { formatScore, truncate } from '../terminal/layout';
import type { Explanation } from './session';

/** Layers in the order of a row, each with its heads below it, and bars as long as they count. */
export function describeExplanation(
  { run, store, example, score, layers }: Explanation,
  columns: number,
): string {
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
  return ['', colors.bold(title), table.toString()].join('\n');
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
