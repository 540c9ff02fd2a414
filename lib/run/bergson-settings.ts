/** How Bergson made the rows of an index, as far as its files say, and whether the same can be made here. */
import fs from 'node:fs';
import path from 'node:path';
import { isObject, readConfig } from '../build/build-config';
import { ImportModelError } from '../errors';
import type { AttentionHeads } from '../layers/attention-heads';

export interface BergsonSettings {
  readonly projectionDim: number | 'exact';
  readonly includeBias: boolean;
  /** How an example's loss combines its tokens'. */
  readonly lossReduction: 'sum' | 'mean';
  /** How split layers are split; null where nothing says. */
  readonly heads: AttentionHeads | null;
}

/** How projections were made. Bergson writes it beside every index. */
const PROCESSOR = 'processor_config.yaml';

/** What the command was asked for, by newer and by older versions. */
const COMMANDS = ['config.yaml', 'index_config.json'] as const;

/** By what gradients were divided, in PyTorch's format: a zip archive with a file for each tensor. */
const NORMALIZERS = 'normalizers.pth';

type Values = Readonly<Record<string, unknown>>;

/** What the files in `source` say. @throws ImportModelError naming the first thing that cannot be made here */
export function readBergsonSettings(source: string): BergsonSettings {
  const processor = readValues(source, PROCESSOR);
  if (processor === null)
    throw new ImportModelError(source, `it holds no ${PROCESSOR}, which says how its rows were projected`);
  checkValues(source, PROCESSOR, processor, {
    projection_type: ['rademacher'],
    projection_target: [undefined, 'per_module'],
    projection_scale: ['jl'],
    reshape_to_square: [undefined, false],
  });
  checkNormalizers(source);
  const command = indexConfig(readValues(source, COMMANDS[0]) ?? readValues(source, COMMANDS[1]) ?? {});
  checkValues(source, 'its configuration', command, {
    loss_fn: [undefined, 'ce'],
    label_smoothing: [undefined, 0],
    normalizer: [undefined, null, 'none'],
    optimizer_state: [undefined, ''],
    hessian_path: [undefined, null],
    aggregation: [undefined, 'none'],
    loss_reduction: [undefined, 'sum', 'mean'],
  });
  const { projection_dim: dim = null, include_bias: bias = false } = processor;
  return {
    projectionDim: dim === null ? 'exact' : (dim as number),
    includeBias: bias === true,
    lossReduction: command.loss_reduction === 'mean' ? 'mean' : 'sum',
    heads: headsOf(command.attention),
  };
}

function readValues(source: string, name: string): Values | null {
  const file = path.join(source, name);
  return fs.existsSync(file) ? readConfig(file) : null;
}

/** The index's own options, in a list of steps or by themselves, and those of what was done to its rows. */
function indexConfig(config: Values): Values {
  const steps = Array.isArray(config.steps) ? (config.steps as unknown[]) : [];
  const commands = steps.flatMap((step) => (isObject(step) ? Object.values(step) : [])).filter(isObject);
  const own = commands.map((command) => command.index_cfg).find(isObject) ?? config;
  const processing = commands.map((command) => command.preprocess_cfg).find(isObject) ?? {};
  return { ...processing, ...own };
}

function checkValues(
  source: string,
  where: string,
  values: Values,
  allowed: Readonly<Record<string, readonly unknown[]>>,
): void {
  for (const [name, choices] of Object.entries(allowed)) {
    if (choices.includes(values[name])) continue;
    const known = choices.flatMap((choice) => (choice === undefined ? [] : JSON.stringify(choice)));
    const found = name in values ? JSON.stringify(values[name]) : 'not there';
    throw new ImportModelError(
      source,
      `\`${name}\` in ${where} is ${found}, and only ${known.join(' or ')} can be made here`,
    );
  }
}

function checkNormalizers(source: string): void {
  const file = path.join(source, NORMALIZERS);
  if (!fs.existsSync(file)) return;
  const bytes = fs.readFileSync(file, 'latin1');
  if (bytes.startsWith('PK') && !bytes.includes('/data/0')) return; // an archive without a tensor
  throw new ImportModelError(
    source,
    `its gradients were divided by what ${NORMALIZERS} holds, in PyTorch's format`,
  );
}

function headsOf(attention: unknown): AttentionHeads | null {
  if (!isObject(attention)) return null;
  const { num_heads: numHeads, head_size: headSize, head_dim: headDim } = attention;
  return [numHeads, headSize, headDim].every((value) => Number.isInteger(value) && (value as number) > 0)
    ? ({ numHeads, headSize, headDim } as AttentionHeads)
    : null;
}
