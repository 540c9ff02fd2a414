/** Prints what a run holds for people. */
import Table from 'cli-table3';
import { describeIndex, facts } from '../doctor/run-report';
import { colors } from '../terminal/colors';
import { formatBytes, paragraph } from '../terminal/layout';
import type { DiskBytes, RunInfo, StoreInfo } from './run-info';

const NAME_WIDTH = 12;

/** `description` is the run's own sentence. */
export function describeInfo(info: RunInfo, description: string): string {
  const { attributed, trained } = info.coverage;
  const usable = info.stores.flatMap(({ name, problem }) => (problem === null ? [name] : []));
  const others = usable.length === 0 ? '' : `; ${usable.join(', ')} can be used`;
  const lines: [name: string, detail: string][] = [
    ...(info.layers.length > 0 ? facts(info) : []),
    ['coverage', `${attributed} of ${trained} trained parameters (\`bergson doctor RUN\` says which)`],
    ['on disk', describeBytes(info.bytes)],
  ];
  return [
    paragraph(`${colors.bold(info.run)} is ${description}.`),
    '',
    ...lines
      .filter(([name]) => name !== 'coverage' || info.layers.length > 0)
      .map(([name, detail]) => colors.bold(name.padEnd(NAME_WIDTH)) + detail),
    ...(info.stores.length === 0 ? [] : [tabulateStores(info.stores)]),
    ...(info.columns.length === 0 ? [] : [tabulateColumns(info)]),
    ...info.stores.flatMap(({ name, problem }) =>
      problem === null ? [] : [colors.red(`${name}: ${problem}${others}`)],
    ),
    ...info.damaged.map((message) => colors.red(message)),
    ...verdict(info.stores),
  ].join('\n');
}

function describeBytes({ total, stores, model, records, order, normalizer }: DiskBytes): string {
  const parts = Object.entries({ stores, model, records, order, normalizer })
    .filter(([, bytes]) => bytes > 0)
    .map(([name, bytes]) => `${name} ${formatBytes(bytes)}`);
  return `${formatBytes(total)}: ${parts.join(', ')}`;
}

function tabulateStores(stores: readonly StoreInfo[]): string {
  const table = newTable(['store', 'state', 'rows', 'numbers a row', 'dtype', 'on disk', 'index'], [2, 3, 5]);
  for (const store of stores) {
    const { name, state, rows, rowsWritten, width, dtype, valueDtype, bytes, index } = store;
    table.push([
      name,
      state ?? colors.red('damaged'),
      rows === rowsWritten ? `${rows ?? ''}` : `${rowsWritten ?? ''} of ${rows ?? ''}`,
      `${width ?? ''}`,
      dtype === valueDtype ? (dtype ?? '') : `${dtype}, scaled`,
      formatBytes(bytes),
      state === null ? '' : describeIndex(index),
    ]);
  }
  return table.toString();
}

function tabulateColumns({ columns, layers }: RunInfo): string {
  const table = newTable(['layer', 'class', 'gradient', 'numbers a row', 'from column'], [3, 4]);
  let from = 0;
  for (const { layer, width } of columns) {
    const known = layers.find(({ path }) => path === layer);
    const shape = known === undefined ? '' : `[${known.gradientShape.join(', ')}]`;
    table.push([layer, known?.className ?? '', shape, `${width}`, `${from}`]);
    from += width;
  }
  return table.toString();
}

/** What was compared, if anything was. */
function verdict(stores: readonly StoreInfo[]): string[] {
  const files = stores.reduce((sum, { verified }) => sum + verified.length, 0);
  if (files === 0) return [];
  const whole = stores.filter(({ verified }) => verified.length > 0).map(({ name }) => name);
  return [colors.green(`${files} files are as they were written: ${whole.join(', ')}.`)];
}

function newTable(head: string[], numeric: readonly number[]) {
  return new Table({
    head,
    style: { head: [], border: [], compact: true },
    colAligns: head.map((_, column) => (numeric.includes(column) ? 'right' : 'left')),
  });
}
