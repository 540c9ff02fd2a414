/** `npm run bench:influence`: how well scores find wrong labels, and how well they predict what unlearning does. */
import Table from 'cli-table3';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { loadBackend } from '../../lib/backend';
import { applyHostFixes } from '../../lib/host-fixes';
import { findMislabels, type Areas } from './mislabels';
import { spread } from './statistics';
import { disposeDigits, trainOnDigits } from './trained-digits';
import { unlearnDigits, type UnlearnedDigits } from './unlearned-digits';

async function main(): Promise<void> {
  const { digits, test, seeds, unlearned, queries, json } = await yargs(hideBin(process.argv))
    .usage(
      "$0 trains the demo's network on digits with wrong labels among them, once for each seed, and scores",
    )
    .option('digits', { type: 'number', default: 4000, describe: 'Training digits' })
    .option('test', {
      type: 'number',
      default: 500,
      describe: 'Test digits, whose mean direction is the query',
    })
    .option('seeds', { type: 'number', default: 5 })
    .option('unlearned', { type: 'number', default: 200, describe: 'Digits to unlearn' })
    .option('queries', { type: 'number', default: 5, describe: 'Test digits to unlearn for' })
    .option('json', { type: 'boolean', default: false, describe: 'Print the report as JSON' })
    .strict()
    .parse();
  await loadBackend();
  applyHostFixes();
  const areas: Areas[] = [];
  let unlearning: UnlearnedDigits | undefined;
  for (let seed = 1; seed <= seeds; seed++) {
    const trained = await trainOnDigits(digits, test, seed);
    areas.push(await findMislabels(trained));
    unlearning ??= await unlearnDigits(trained, unlearned, queries);
    disposeDigits(trained);
  }
  console.log(json ? JSON.stringify(toDocument(areas, unlearning), undefined, 2) : format(areas, unlearning));
}

function toDocument(areas: readonly Areas[], unlearning: UnlearnedDigits | undefined) {
  return {
    areasUnderCurve: Object.fromEntries(namesOf(areas).map((name) => [name, valuesOf(areas, name)])),
    spearman: unlearning && { exact: unlearning.exact, ...Object.fromEntries(unlearning.projected) },
  };
}

function format(areas: readonly Areas[], unlearning: UnlearnedDigits | undefined): string {
  const table = newTable([`score, over ${areas.length} seeds`, 'median AUC', 'least', 'most']);
  for (const name of namesOf(areas)) table.push([name, ...summary(valuesOf(areas, name), 3)]);
  if (unlearning === undefined) return table.toString();
  const second = newTable([
    `scores, over ${unlearning.exact.length} queries`,
    'median Spearman',
    'least',
    'most',
  ]);
  second.push(['exact', ...summary(unlearning.exact, 4)]);
  for (const [dim, values] of unlearning.projected) {
    second.push([`projected to ${dim} a side`, ...summary(values, 4)]);
  }
  return `${table.toString()}\n${second.toString()}`;
}

function namesOf(areas: readonly Areas[]): string[] {
  return [...(areas[0]?.keys() ?? [])];
}

function valuesOf(areas: readonly Areas[], name: string): number[] {
  return areas.map((each) => each.get(name) ?? NaN);
}

function summary(values: readonly number[], digits: number): string[] {
  return [spread(values).median, Math.min(...values), Math.max(...values)].map((value) =>
    value.toFixed(digits),
  );
}

function newTable(head: string[]) {
  return new Table({
    head,
    style: { head: [], border: [] },
    colAligns: ['left', 'right', 'right', 'right'],
  });
}

void main();
