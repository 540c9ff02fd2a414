/** Which rows of a data set are meant by `train[:10%]`, `[100:200]` or `0:200`. */
import { InvalidOptionError } from '../errors';

/** A bound of a range: rows from the start, or from the end if negative; or a percentage of them. */
interface Bound {
  readonly value: number;
  readonly percent: boolean;
}

/** A named part of a data set and a range within it, as Hugging Face's data sets write them. */
export interface Split {
  /** Such as `train`; undefined where none was named. */
  readonly name: string | undefined;
  readonly from: Bound | undefined;
  readonly to: Bound | undefined;
}

const BOUND = String.raw`-?\d+%?`;
const RANGE = `(?<from>${BOUND})?:(?<to>${BOUND})?`;
const SPLIT = new RegExp(`^(?:(?<name>[^\\[\\]:]+)?(?:\\[${RANGE}\\])?)$`);
const BARE = new RegExp(`^${RANGE}$`);

/**
 * Reads `train`, `train[:10%]`, `[100:200]` or `0:200`. A negative bound counts from the end.
 * @throws InvalidOptionError
 */
export function parseSplit(split: string): Split {
  const found = BARE.exec(split) ?? SPLIT.exec(split);
  if (!found?.groups || split === '')
    throw new InvalidOptionError(
      'split',
      `\`${split}\``,
      'a name, a range, or both: `train`, `train[:10%]`, `[100:200]`, `0:200`',
    );
  const { name, from, to } = found.groups;
  return { name, from: toBound(from), to: toBound(to) };
}

function toBound(text: string | undefined): Bound | undefined {
  if (text === undefined) return undefined;
  const percent = text.endsWith('%');
  const value = Number(percent ? text.slice(0, -1) : text);
  if (percent && Math.abs(value) > 100)
    throw new InvalidOptionError('split', `\`${text}\``, 'a percentage from -100% to 100%');
  return { value, percent };
}

/** How many rows must be counted before the range is known: all, or no more than its end. */
export function rowsToCount({ from, to }: Split): number {
  const absolute = [from ?? { value: 0, percent: false }, to].every(
    (bound) => bound !== undefined && !bound.percent && bound.value >= 0,
  );
  return absolute ? (to?.value ?? Infinity) : Infinity;
}

/** The rows [start, end) that a split means among `rows`. Empty ranges have start = end. */
export function resolveRange({ from, to }: Split, rows: number): { start: number; end: number } {
  const start = toRow(from ?? { value: 0, percent: false }, rows);
  const end = toRow(to ?? { value: 100, percent: true }, rows);
  return { start, end: Math.max(start, end) };
}

function toRow({ value, percent }: Bound, rows: number): number {
  const row = percent ? roundHalfToEven((value * rows) / 100) : value;
  return Math.min(rows, Math.max(0, row < 0 ? rows + row : row));
}

/** As Python rounds, so that percentages mean the same rows there. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
