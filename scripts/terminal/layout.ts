/** Fits text into a terminal. */

import { stripVTControlCharacters } from 'node:util';

/** Columns where the terminal does not say, and of lines that read well. */
const USUAL_COLUMNS = 100;

/** Columns that lines on stdout may take. */
export function terminalColumns(): number {
  return process.stdout.columns || USUAL_COLUMNS;
}

/** `text` on one line of at most `columns`, the last of which is … where some was cut off. */
export function truncate(text: string, columns: number): string {
  const line = text.replace(/\s+/g, ' ').trim();
  const characters = Array.from(line);
  if (characters.length <= columns) return line;
  return `${characters.slice(0, Math.max(0, columns - 1)).join('')}…`;
}

/** `text` broken between words into lines that fit the terminal, and read well on a wide one. */
export function paragraph(text: string): string {
  const columns = Math.min(USUAL_COLUMNS, terminalColumns());
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line === undefined || visibleLength(line) + 1 + visibleLength(word) > columns) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines.join('\n');
}

/** Columns of a text that may hold styles. */
function visibleLength(text: string): number {
  return Array.from(stripVTControlCharacters(text)).length;
}

/** A score with its sign, to four digits. */
export function formatScore(score: number): string {
  const digits = score.toPrecision(4);
  return score > 0 ? `+${digits}` : digits;
}

/** Bytes in the unit that reads best. */
export function formatBytes(bytes: number): string {
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** A time in the unit that reads best. */
export function formatDuration(seconds: number): string {
  if (seconds < 90) return `${seconds < 10 ? seconds.toPrecision(2) : seconds.toFixed(0)} s`;
  return seconds < 5400 ? `${(seconds / 60).toFixed(0)} minutes` : `${(seconds / 3600).toFixed(1)} hours`;
}

/** Blocks of lines beside each other, each as wide as `columns` says, `gap` columns apart. */
export function sideBySide(blocks: readonly (readonly Cell[])[], columns: number, gap: number): string[] {
  const height = Math.max(0, ...blocks.map((lines) => lines.length));
  return Array.from({ length: height }, (_, row) =>
    blocks
      .map((lines) => {
        const { text, width } = lines[row] ?? { text: '', width: 0 };
        return text + ' '.repeat(Math.max(0, columns - width));
      })
      .join(' '.repeat(gap))
      .trimEnd(),
  );
}

/** A piece of a line: what is written, and how many columns it takes, escape sequences not counted. */
export interface Cell {
  readonly text: string;
  readonly width: number;
}

/** A cell of text without escape sequences, styled afterwards by `style`. */
export function cell(text: string, style: (text: string) => string = (plain) => plain): Cell {
  return { text: style(text), width: Array.from(text).length };
}
