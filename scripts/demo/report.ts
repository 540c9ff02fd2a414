/** Prints what the demo finds. */
import Table from 'cli-table3';
import type { Trace, TracedExample } from '../../lib/query/trace';
import { cell, formatBytes, formatScore, paragraph, sideBySide, type Cell } from '../terminal/layout';
import { drawPicture, toPicture } from '../terminal/picture';
import { areaUnderCurve, shareFound } from './detection';
import type { Digit } from './digits';
import type { Overhead } from './overhead';
import { smallPicture } from './records';
import type { Reading } from './test-digits';
import { colors } from '../terminal/colors';

/** Columns of a picture and of what is said below it. */
const BLOCK = 12;
const GAP = 2;

export function heading(title: string): string {
  return `\n${colors.bold(colors.underline(title))}`;
}

/** A test digit, and the training digits at both ends of its trace, side by side. */
export function describeAnswer(digit: Digit, reading: Reading, { highest, lowest }: Trace): string {
  const { index, label, read, probability } = reading;
  const sure = `${(100 * probability).toFixed(0)} % sure of ${label}`;
  const verdict =
    read === label ? `which the model reads right (${sure})` : `which the model reads as ${read} (${sure})`;
  const own = [
    cell(''),
    ...drawPicture(smallPicture(digit.pixels), colors.isColorSupported),
    ...['example', 'label', '', 'score', 'seen at step', 'of epoch'].map((name) => cell(name, colors.dim)),
  ];
  const blocks = [
    own,
    ...highest.map((found, i) =>
      describeExample(found, i === 0 ? cell('helped most', colors.green) : cell('')),
    ),
    ...lowest.map((found, i) => describeExample(found, i === 0 ? cell('hurt most', colors.red) : cell(''))),
  ];
  return [
    `\n${colors.bold(`Test digit ${index}`)}, a ${label}, ${verdict}`,
    ...sideBySide(blocks, BLOCK, GAP),
  ].join('\n');
}

function describeExample({ example, score, seen, record }: TracedExample, title: Cell): Cell[] {
  const picture = toPicture(record?.picture);
  const original = record?.['flipped from'];
  return [
    title,
    ...(picture === undefined ? [] : drawPicture(picture, colors.isColorSupported)),
    cell(`${example}`),
    cell(`${record?.label ?? ''}`),
    typeof original === 'number' ? cell(`flipped: a ${original}`, colors.yellow) : cell(''),
    cell(formatScore(score), score > 0 ? colors.green : colors.red),
    cell(listed(seen.map(({ step }) => step))),
    cell(listed(seen.map(({ epoch }) => epoch))),
  ];
}

/** Numbers in a block's width, or the first and the last. */
function listed(numbers: readonly number[]): string {
  const all = numbers.join(' ');
  return all.length <= BLOCK ? all : `${numbers[0] ?? ''} … ${numbers.at(-1) ?? ''}`;
}

/** Rankings by name, against the labels that were flipped. */
export function describeDetection(
  rankings: readonly (readonly [name: string, scores: ArrayLike<number>])[],
  flipped: readonly boolean[],
  inspected: number,
): string {
  const table = new Table({
    head: ['inspect by', 'AUC', `found in the first ${100 * inspected} %`],
    style: { head: [], border: [], compact: true },
    colAligns: ['left', 'right', 'right'],
  });
  for (const [name, scores] of rankings) {
    const found = `${(100 * shareFound(scores, flipped, inspected)).toFixed(0)} %`;
    table.push([name, areaUnderCurve(scores, flipped).toFixed(3), found]);
  }
  return table.toString();
}

/** The run's bytes, and by kind of file. */
export function describeDiskUse(path: string, bytes: ReadonlyMap<string, number>): string {
  const total = [...bytes.values()].reduce((sum, size) => sum + size, 0);
  const width = Math.max(...[...bytes.keys()].map((kind) => kind.length));
  const lines = [...bytes].map(([kind, size]) => `  ${kind.padEnd(width)}  ${formatBytes(size).padStart(9)}`);
  return [`${path} takes ${colors.bold(formatBytes(total))} on disk:`, ...lines].join('\n');
}

export function describeOverhead({ steps, repeats, plain, ratio }: Overhead): string {
  const percent = (value: number) => `${value >= 1 ? '+' : ''}${(100 * (value - 1)).toFixed(1)} %`;
  return paragraph(
    `A training step takes ${colors.bold(percent(ratio.median))} with the collector (quartiles ` +
      `${percent(ratio.lowerQuartile)} and ${percent(ratio.upperQuartile)}; ${repeats} epochs of ${steps} steps ` +
      `each way, by turns; ${plain.median.toFixed(1)} ms a step without it).`,
  );
}
