/** Which stores of which runs are searched as one. */
import fs from 'node:fs';
import { InvalidOptionError } from '../errors';
import { checkComparable } from '../run/comparable-runs';
import { Run } from '../run/run';
import { ACCUMULATED, preconditionedStore } from '../run/run-paths';

/** A store by its name. */
export interface NamedStore {
  readonly run: Run;
  readonly name: string;
}

/**
 * Those that are `asked` for of each of the runs at `paths`, runs in order: names, `all`, or the one that is searched by
 * default.
 * @throws RunNotFoundError, UnknownStoreError, IncomparableRunsError; InvalidOptionError for none, one twice, or several whose
 *   rows are not of one kind
 */
export function nameStores(
  paths: readonly string[],
  asked: string | readonly string[] | undefined,
  otherWeights: boolean,
): NamedStore[] {
  const runs = paths.map((path) => Run.open(path));
  const [first, ...others] = runs;
  if (first === undefined) throw new InvalidOptionError('runs', 'empty', 'at least one');
  const places = runs.map(({ path }) => fs.realpathSync(path));
  const again = places.findIndex((place, i) => places.indexOf(place) < i);
  if (again >= 0) throw new InvalidOptionError('runs', `${paths[again] ?? ''} twice`, 'of other runs each');
  for (const other of others) checkComparable(first, other, otherWeights);
  const stores = runs.flatMap((run) => namesIn(run, asked).map((name) => ({ run, name })));
  checkKinds(stores.map(({ name }) => name));
  return stores;
}

/** @throws UnknownStoreError, InvalidOptionError */
function namesIn(run: Run, asked: string | readonly string[] | undefined): string[] {
  const names =
    asked === 'all' && run.stores.length > 0 ? run.stores : asked === 'all' ? [undefined] : [asked].flat();
  const found = names.map((name) => run.storeName(name));
  if (found.length === 0) throw new InvalidOptionError('store', 'no name', 'at least one');
  const twice = found.find((name, i) => found.indexOf(name) < i);
  if (twice !== undefined) throw new InvalidOptionError('store', `${twice} twice`, 'another name each time');
  return found;
}

/** Sums over epochs and rows that were preconditioned are in other units than rows of an epoch. @throws InvalidOptionError */
function checkKinds(names: readonly string[]): void {
  const kindOf = (name: string) =>
    name.endsWith(preconditionedStore('')) ? 'preconditioned' : name === ACCUMULATED ? ACCUMULATED : 'plain';
  const [first = '', ...others] = names;
  const kind = kindOf(first);
  const other = others.find((name) => kindOf(name) !== kind);
  if (other !== undefined)
    throw new InvalidOptionError(
      'store',
      `${first} and ${other}`,
      'several of one kind, to be ranked together',
    );
}
