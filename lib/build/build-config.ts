/** What `bergson build` is asked for, every choice made; kept in the run as YAML. */
import fs from 'node:fs';
import path from 'node:path';
import { parseDocument, stringify } from 'yaml';
import { InvalidConfigError, RunExistsError, RunMismatchError } from '../errors';
import type { Attention } from '../layers/attention-heads';
import type { ProjectionOptions } from '../projection';
import { runPaths } from '../run/run-paths';
import { guardWrite, writeFileAtomic } from '../store/disk';
import type { RowDtype } from '../store/format';

/** Paths are absolute; null where nothing was asked for. */
export interface BuildConfig extends ProjectionOptions {
  /** The run's directory. */
  readonly run: string;
  /** Folder of a causal language model in Hugging Face's format. */
  readonly model: string;
  /** Folder of `tokenizer.json`; null for rows that are tokenized already. */
  readonly tokenizer: string | null;
  readonly dataset: string;
  readonly split: string | null;
  readonly textColumn: string | null;
  readonly promptColumn: string | null;
  readonly completionColumn: string | null;
  readonly conversationColumn: string | null;
  readonly rewardColumn: string | null;
  readonly groupColumn: string | null;
  readonly longDocuments: 'truncate' | 'chunk';
  /** Tokens of an example at most; null for as many as the model takes. */
  readonly contextLength: number | null;
  /** Tokens of a batch at most, padding included. */
  readonly tokenBatchSize: number;
  readonly attribute: 'examples' | 'tokens';
  readonly lossReduction: 'sum' | 'mean';
  readonly normalizer: 'adafactor' | 'adam' | 'none';
  /** Examples that the normalizer is fitted on, at most. */
  readonly normalizerSample: number;
  /** A run whose normalizer is taken, so that rows can be compared with its; null to fit one. */
  readonly normalizerRun: string | null;
  readonly includeBias: boolean;
  /** Patterns of the layers to attribute; null for the linear maps of the base model. */
  readonly modules: readonly string[] | null;
  /** Layers that are split by attention head. */
  readonly heads: Attention | null;
  readonly dtype: RowDtype;
  /** Whether to sum the rows' autocorrelation while they are collected, for a preconditioner. */
  readonly autocorrelation: boolean;
  readonly index: boolean;
}

/** What each value may be: one of some words, or anything of a kind. */
const FIELDS: { readonly [Field in keyof BuildConfig]: FieldKind } = {
  run: { kind: 'path' },
  model: { kind: 'path' },
  tokenizer: { kind: 'path', default: null },
  dataset: { kind: 'path' },
  split: { kind: 'string', default: null },
  textColumn: { kind: 'string', default: null },
  promptColumn: { kind: 'string', default: null },
  completionColumn: { kind: 'string', default: null },
  conversationColumn: { kind: 'string', default: null },
  rewardColumn: { kind: 'string', default: null },
  groupColumn: { kind: 'string', default: null },
  longDocuments: { kind: ['truncate', 'chunk'], default: 'truncate' },
  contextLength: { kind: 'count', default: null },
  tokenBatchSize: { kind: 'count', default: 2048 },
  attribute: { kind: ['examples', 'tokens'], default: 'examples' },
  lossReduction: { kind: ['sum', 'mean'], default: 'sum' },
  normalizer: { kind: ['adafactor', 'adam', 'none'], default: 'adafactor' },
  normalizerSample: { kind: 'count', default: 512 },
  projectionDim: { kind: 'dimension', default: 16 },
  projectionType: { kind: ['rademacher', 'normal'], default: 'rademacher' },
  projectionTarget: { kind: ['module', 'global'], default: 'module' },
  seed: { kind: 'seed', default: 0 },
  normalizerRun: { kind: 'path', default: null },
  includeBias: { kind: 'boolean', default: false },
  modules: { kind: 'list', default: null },
  heads: { kind: 'heads', default: null },
  dtype: { kind: ['float32', 'float16'], default: 'float32' },
  autocorrelation: { kind: 'boolean', default: false },
  index: { kind: 'boolean', default: true },
};

interface FieldKind {
  readonly kind: keyof typeof KINDS | readonly string[];
  /** Without one, the field has to be there. */
  readonly default?: string | number | boolean | null;
}

/** Whether YAML gave a map. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0;

const KINDS = {
  path: { test: (value: unknown) => typeof value === 'string' && value !== '', what: 'a path' },
  string: { test: (value: unknown) => typeof value === 'string', what: 'a text' },
  count: { test: isCount, what: 'a whole number from 1' },
  seed: {
    test: (value: unknown) =>
      Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32,
    what: 'a whole number from 0 to 4294967295',
  },
  dimension: {
    test: (value: unknown) => value === 'exact' || isCount(value),
    what: 'a whole number from 1, or exact',
  },
  boolean: { test: (value: unknown) => typeof value === 'boolean', what: 'true or false' },
  list: {
    test: (value: unknown) =>
      Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'string'),
    what: 'a list of texts',
  },
  heads: {
    test: (value: unknown) =>
      isObject(value) &&
      Object.values(value).every(
        (heads) =>
          isObject(heads) && ['numHeads', 'headSize', 'headDim'].every((name) => isCount(heads[name])),
      ),
    what: 'a map from layers to numHeads, headSize and headDim',
  },
} as const;

/** `given`, checked and filled up with defaults. @throws InvalidConfigError naming the first value that will not do */
export function resolveConfig(given: Readonly<Record<string, unknown>>, where: string): BuildConfig {
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(FIELDS, name));
  if (unknown.length > 0)
    throw new InvalidConfigError(
      where,
      unknown[0] ?? '',
      undefined,
      `one of ${Object.keys(FIELDS).join(', ')}`,
    );
  return Object.fromEntries(
    Object.entries(FIELDS).map(([name, field]) => [name, resolveField(name, field, given[name], where)]),
  ) as unknown as BuildConfig;
}

function resolveField(name: string, field: FieldKind, value: unknown, where: string): unknown {
  if (value === undefined || value === null) {
    if (field.default === undefined) throw new InvalidConfigError(where, name, value, 'given');
    return field.default;
  }
  if (typeof field.kind !== 'string') {
    if (!field.kind.includes(value as string))
      throw new InvalidConfigError(where, name, value, field.kind.join(' or '));
    return value;
  }
  const { test, what } = KINDS[field.kind];
  if (!test(value)) throw new InvalidConfigError(where, name, value, what);
  return field.kind === 'path' ? path.resolve(value as string) : value;
}

/** The names of all choices. */
export const CONFIG_FIELDS = Object.keys(FIELDS) as readonly (keyof BuildConfig)[];

/** What a YAML file asks for, not yet checked. @throws InvalidConfigError, the file system's own error */
export function readConfig(file: string): Record<string, unknown> {
  const document = parseDocument(fs.readFileSync(file, 'utf8'));
  const [error] = document.errors;
  if (error !== undefined)
    throw new InvalidConfigError(file, 'content', error.message, 'YAML', { cause: error });
  const values: unknown = document.toJS();
  if (!isObject(values)) throw new InvalidConfigError(file, 'content', values, 'a map of options');
  return values;
}

/**
 * Keeps `config` in its run, which is begun if need be, or makes sure that the run was begun with the same; only whether to
 * build an index, and to sum the autocorrelation, may differ.
 * @throws RunMismatchError naming the first value that differs, RunExistsError if something else is there; DiskWriteError
 */
export function keepConfig(config: BuildConfig): void {
  const file = runPaths.config(config.run);
  guardWrite(config.run, 0, () => {
    if (!fs.existsSync(config.run)) fs.mkdirSync(config.run, { recursive: true });
  });
  if (!fs.existsSync(file)) {
    const isEmpty = fs.statSync(config.run).isDirectory() && fs.readdirSync(config.run).length === 0;
    if (!isEmpty) throw new RunExistsError(config.run);
  } else {
    const begun = resolveConfig(readConfig(file), file);
    for (const name of CONFIG_FIELDS) {
      if (['run', 'index', 'autocorrelation'].includes(name)) continue;
      const [expected, found] = [begun, config].map((of) => JSON.stringify(of[name])) as [string, string];
      if (expected !== found) throw new RunMismatchError(config.run, name, expected, found);
    }
  }
  writeFileAtomic(file, [Buffer.from(stringify(config))]);
}
