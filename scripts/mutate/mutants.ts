/** The CUDA kernels, each broken in one place. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../kernels/package-root';

export const SOURCES = join(packageRoot(), 'kernels', 'cuda');

export interface Mutant {
  readonly file: string;
  readonly line: number;
  readonly kind: string;
  /** The line, and what became of it. */
  readonly change: string;
  /** The whole file. */
  readonly text: string;
}

interface Breakage {
  readonly kind: string;
  readonly pattern: RegExp;
  readonly replacement: string;
}

const swap = (one: string, other: string): Breakage[] => [
  { kind: 'sides swapped', pattern: new RegExp(`\\b${one}\\b`, 'g'), replacement: other },
  { kind: 'sides swapped', pattern: new RegExp(`\\b${other}\\b`, 'g'), replacement: one },
];

const BREAKAGES: readonly Breakage[] = [
  { kind: 'barrier removed', pattern: /__syncthreads\(\);/g, replacement: ';' },
  // Not of loops over the registers that a thread has: what is beyond their end is not defined.
  { kind: 'bound one later', pattern: / < (?=\w)(?!4;|2;|kAcross;|row \+ 4;)/g, replacement: ' <= ' },
  { kind: 'bound one earlier', pattern: / < (?=\w)/g, replacement: ' + 1 < ' },
  { kind: 'bound one later', pattern: / >= (?=\w)/g, replacement: ' > ' },
  { kind: 'bound one earlier', pattern: / >= (?=\w)/g, replacement: ' + 1 >= ' },
  { kind: 'sign flipped', pattern: / \+= (?!k)/g, replacement: ' -= ' },
  { kind: 'sign flipped', pattern: / \+ /g, replacement: ' - ' },
  { kind: 'sign flipped', pattern: / - /g, replacement: ' + ' },
  { kind: 'factor dropped', pattern: /\b[\w.]*multiplier \* /g, replacement: '' },
  { kind: 'factor dropped', pattern: / \* (?:[\w.]+|\([\w.() +*]+\))(?=[;,)\] ])/g, replacement: '' },
  ...swap('rows', 'columns'),
  ...swap('y', 'x'),
  ...swap('height', 'width'),
  ...swap('stride_height', 'stride_width'),
  ...swap('dilation_height', 'dilation_width'),
  ...swap('padding_top', 'padding_left'),
  ...swap('correction', 'epsilon'),
  ...swap('products', 'sums'),
];

/** What breaks nothing: one more step over nothing, bounds that strides pass over, and threads in another order. */
const EQUIVALENT = [
  'first <= example.args.positions;',
  'first <= tile.end;',
  'i + 1 < kTileRows;',
  'e + 1 < kDepth * kColumns;',
  'e <= kDepth * kColumns;',
  '(e - threadIdx.x) % kColumns;',
  '(word - 0.5)', // shows in one word of 2^32
];

/** Code of a line, without its comment; declarations that break nothing are not broken. */
function isCode(line: string): boolean {
  return !/^\s*(\/\/|#|template|struct|namespace|constexpr|BERGSON_KERNEL|\}|extern)/.test(line);
}

/** Every breakage at every place where it applies. */
export function mutants(): Mutant[] {
  const files = readdirSync(SOURCES).filter((name) => /\.cuh?$/.test(name));
  return files.flatMap((file) => {
    const lines = readFileSync(join(SOURCES, file), 'utf8').split('\n');
    return lines.flatMap((line, at) =>
      (isCode(line) ? broken(line) : []).map(({ kind, text }) => ({
        file,
        line: at + 1,
        kind,
        change: `${line.trim()}\n  ${text.trim()}`,
        text: lines.with(at, text).join('\n'),
      })),
    );
  });
}

function broken(line: string): { kind: string; text: string }[] {
  const code = line.split(' //', 1)[0] ?? '';
  return BREAKAGES.flatMap(({ kind, pattern, replacement }) =>
    [...code.matchAll(pattern)].map((match) => ({
      kind,
      text: code.slice(0, match.index) + replacement + code.slice(match.index + match[0].length),
    })),
  ).filter(({ text }) => !EQUIVALENT.some((harmless) => text.includes(harmless)));
}
