/** Prints traces for people. */
import Table from 'cli-table3';
import type { Attributor, SearchedStore } from '../../lib/attributor';
import type { EpochScore } from '../../lib/query/epoch-scores';
import type { Trace, TracedExample } from '../../lib/query/trace';
import type { ExampleRecord } from '../../lib/run/example-records';
import type { Run } from '../../lib/run/run';
import type { Sighting } from '../../lib/store/training-order';
import type { Answer } from './session';
import { cell, formatScore, paragraph, sideBySide, truncate, type Cell } from '../terminal/layout';
import { drawPicture, toPicture } from '../terminal/picture';
import { colors } from '../terminal/colors';

export interface ReportOptions {
  /** Columns of the terminal. */
  readonly columns: number;
  readonly pictures: boolean;
  /** What was searched, which hits are told apart by. */
  readonly stores: readonly Pick<SearchedStore, 'run' | 'name'>[];
}

/** Lines on what was searched and what a score means. */
export function describeSearch({ stores, preconditioned }: Attributor): string {
  const runs = [...new Set(stores.map(({ run }) => run))];
  return [
    ...runs.flatMap((run) => [
      describeRun(run),
      ...stores.filter((store) => store.run === run).map((store) => describeStore(store)),
    ]),
    ...(stores.length === 1 ? [] : [`The ${stores.length} stores are ranked as one.`]),
    ...(preconditioned === 'none'
      ? []
      : [`${PRECONDITIONED[preconditioned]}, by the inverse autocorrelation of the store's gradients.`]),
    `Scores: ${colors.green('positive')}, training on the example lowered the query's loss; ${colors.red('negative')}, it raised it.`,
  ].join('\n');
}

function describeRun(run: Run): string {
  const { attributed, trained } = run.manifest.coverage;
  const share = (100 * attributed) / trained;
  const covered = attributed === trained ? '' : `; it covers ${share.toFixed(1)} % of the trained parameters`;
  return paragraph(`${colors.bold(run.path)} is ${run.describe()}${covered}.`);
}

function describeStore({ name, engine, reason }: SearchedStore): string {
  return paragraph(
    `Searched ${colors.bold(name)}, ${engine === 'exact' ? 'exactly' : 'through its index'}: ${reason}.`,
  );
}

const PRECONDITIONED = {
  rows: 'Rows and queries are preconditioned',
  queries: 'Queries are preconditioned',
};

/** The answer to one question, or to several as one: pictures, if any, and a table of both ends of the ranking. */
export function describeAnswer({ questions, trace }: Answer, options: ReportOptions): string {
  const [first, ...others] = questions;
  const record = others.length === 0 ? (first?.record ?? undefined) : undefined;
  const title = others.length === 0 ? (first?.title ?? '') : `${questions.length} queries as one`;
  const heading = colors.bold(
    truncate(title + (record === undefined ? '' : `, ${summary(record)}`), options.columns),
  );
  return ['', heading, ...pictures(record, trace, options), tabulate(trace, options)].join('\n');
}

/** When an example was seen: `step 412 (epoch 1)`, or of several steps how many, the first and the last. */
function describeSightings(seen: readonly Sighting[]): string {
  const [first, last] = [seen[0], seen.at(-1)];
  if (first === undefined || last === undefined) return '';
  if (seen.length === 1) return `step ${first.step} (epoch ${first.epoch})`;
  const epochs = first.epoch === last.epoch ? `epoch ${first.epoch}` : `epochs ${first.epoch}-${last.epoch}`;
  return `${seen.length} steps, ${first.step} … ${last.step} (${epochs})`;
}

/** What an example scores in each epoch's store, in order; – where there is no row. */
function describeEpochs(epochs: readonly EpochScore[]): string {
  return epochs.map(({ score }) => (score === null ? '–' : formatScore(score))).join(' ');
}

/** The query's picture and those of the ends, as many as fit side by side, or nothing if the records hold none. */
function pictures(
  record: ExampleRecord | undefined,
  { highest, lowest }: Trace,
  options: ReportOptions,
): string[] {
  if (!options.pictures) return [];
  const own = captioned(record, cell('query'));
  const ends = [highest, lowest].map((end) =>
    end.map((found) => captioned(found.record, cell(`${found.example}`))),
  );
  const blocks = [...(own ?? []), ...ends.flat(2).filter((block) => block !== undefined)];
  const width = Math.max(0, ...blocks.map((line) => line.width));
  if (width === 0) return [];
  const perEnd = Math.max(1, Math.floor((options.columns / (width + GAP) - 1) / 2));
  const row = [own, ...ends.flatMap((end) => end.slice(0, perEnd))].filter((block) => block !== undefined);
  return sideBySide(row, width, GAP);
}

const GAP = 2;

/** A picture with a line below it; undefined without a picture. */
function captioned(record: ExampleRecord | undefined, caption: Cell): Cell[] | undefined {
  const picture = toPicture(record?.picture);
  return picture === undefined ? undefined : [...drawPicture(picture, colors.isColorSupported), caption];
}

function tabulate({ highest, lowest }: Trace, { columns, stores }: ReportOptions): string {
  const all = [...highest, ...lowest];
  const labelled = all.some(({ record }) => record?.label !== undefined);
  const noted = all.some(({ record }) => note(record) !== '');
  const tracked = all.some(({ seen }) => seen.length > 0);
  const byEpoch = all.some(({ epochs }) => epochs !== undefined);
  const byQuery = new Set(all.map(({ query }) => query)).size > 1;
  const byRun = new Set(stores.map(({ run }) => run)).size > 1;
  const byStore = new Set(stores.map(({ name }) => name)).size > 1;
  const cells = (found: TracedExample) => [
    `${found.example}`,
    formatScore(found.score),
    ...(byQuery ? [`${(found.query ?? 0) + 1}`] : []),
    ...(byRun ? [found.source.run] : []),
    ...(byStore ? [found.source.store] : []),
    ...(labelled ? [`${found.record?.label ?? ''}`] : []),
    ...(tracked ? [describeSightings(found.seen)] : []),
    ...(byEpoch ? [describeEpochs(found.epochs ?? [])] : []),
  ];
  const head = [
    '',
    'example',
    'score',
    ...(byQuery ? ['query'] : []),
    ...(byRun ? ['run'] : []),
    ...(byStore ? ['store'] : []),
    ...(labelled ? ['label'] : []),
    ...(tracked ? ['seen in training'] : []),
    ...(byEpoch ? ['score by epoch'] : []),
  ];
  const rows = [
    ...highest.map((found) => ['highest', ...cells(found)]),
    ...lowest.map((found) => ['lowest', ...cells(found)]),
  ];
  const taken = head.reduce(
    (sum, title, i) => sum + CELL_PADDING + Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)),
    1,
  );
  const left = Math.max(MINIMUM_NOTE, columns - taken - CELL_PADDING);
  const table = new Table({
    head: noted ? [...head, 'record'] : head,
    style: { head: [], border: [], compact: true },
    colAligns: ['left', 'right', 'right', ...head.slice(3).map(() => 'left' as const), 'left'],
  });
  rows.forEach(([end = '', example = '', score = '', ...rest], i) => {
    const { record, score: value } = all[i] as TracedExample;
    const first = i === 0 || i === highest.length ? end : '';
    const colored = value > 0 ? colors.green(score) : colors.red(score);
    table.push([first, example, colored, ...rest, ...(noted ? [truncate(note(record), left)] : [])]);
  });
  return table.toString();
}

/** Columns that a cell takes beside its text: a border and a space on each side. */
const CELL_PADDING = 3;
const MINIMUM_NOTE = 12;

/** A record in a few words: its label, and its text or what else it says. */
function summary(record: ExampleRecord): string {
  const label = record.label === undefined ? [] : [`label ${record.label}`];
  const rest = note(record);
  return [...label, ...(rest === '' ? [] : [rest])].join(', ');
}

/** The text of a record, or else its other plain fields. */
function note(record: ExampleRecord | undefined): string {
  if (record === undefined) return '';
  if (record.text !== undefined) return record.text;
  return Object.entries(record)
    .filter(([field, value]) => field !== 'label' && typeof value !== 'object')
    .map(([field, value]) => `${field} ${String(value)}`)
    .join(', ');
}
