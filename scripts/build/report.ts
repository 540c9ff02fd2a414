/** Prints what a build came to, or would come to, for people. */
import type { BuiltRun } from '../../lib/build/build-run';
import type { BuildPlan } from '../../lib/build/plan';
import type { DatasetCounts } from '../../lib/datasets/counts';
import { colors } from '../terminal/colors';
import { formatDuration, paragraph } from '../terminal/layout';

/** What `bergson build --json` prints. */
export function toOutcome({ run, computed, found, failed, counts, config }: BuiltRun) {
  return { run: run.path, computed, found, failed, counts, config };
}

export function describeBuilt(built: BuiltRun): string {
  const { run, computed, found, failed, counts, config } = built;
  const layers = run.manifest.layers.length;
  const rows = `${computed + found} rows`;
  const before = found === 0 ? '' : `, ${found} of which were there before`;
  const lines = [
    `${colors.bold(run.path)} is ${run.describe()}: ${rows}${before}, of ${layers} layers.`,
    ...describeCounts(counts, config.contextLength),
    ...(failed.length === 0
      ? []
      : [
          colors.red(`${failed.length} gradients could not be stored:`),
          ...failed
            .slice(0, SHOWN)
            .map(({ example, reason }) => colors.red(`  example ${example}: ${reason}`)),
          ...(failed.length > SHOWN
            ? [colors.red(`  and ${failed.length - SHOWN} more (--json has all)`)]
            : []),
        ]),
    `Ask it: bergson query ${run.path}`,
  ];
  return lines.map((line) => paragraph(line)).join('\n');
}

const SHOWN = 5;

/** What became of rows that are not plain examples. */
function describeCounts(
  { truncated, chunked, skipped }: DatasetCounts,
  contextLength: number | null,
): string[] {
  const lines = skipped.map(({ reason, count, firstRows }) => {
    const rows = `row ${firstRows.join(', ')}${count > firstRows.length ? ', …' : ''}`;
    return `${several(count, 'row')} of the data set ${count === 1 ? 'has' : 'have'} no gradient: ${reason} (${rows}).`;
  });
  const was = (count: number) => (count === 1 ? 'was' : 'were');
  if (chunked > 0) lines.unshift(`${several(chunked, 'document')} became several examples.`);
  if (truncated > 0)
    lines.unshift(
      `${several(truncated, 'document')} ${was(truncated)} cut off after ${contextLength ?? 'too many'} tokens.`,
    );
  return lines;
}

function several(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

export function describePlan(plan: BuildPlan): string {
  const { config, counts, rows, width, parts, bytes, indexBytes, memoryBytes, seconds, timed, batches } =
    plan;
  const index = indexBytes === 0 ? '' : ` and ${inUnits(indexBytes)} of index`;
  const fitting =
    seconds.normalizer === 0 ? '' : ` after ${formatDuration(seconds.normalizer)} of fitting the normalizer`;
  return [
    colors.bold(`${config.run}: nothing was written.`),
    `rows     ${rows} of ${width} numbers, from ${counts.examples} examples of ${counts.tokens} tokens and ${parts} layers`,
    `disk     ${inUnits(bytes)} of gradients${index}`,
    `memory   about ${inUnits(memoryBytes)}`,
    `time     about ${formatDuration(seconds.gradients)}${fitting}`,
    `measured on ${timed} of ${batches} batches`,
    ...describeCounts(counts, config.contextLength),
  ].join('\n');
}

function inUnits(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const unit = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** unit).toPrecision(3)} ${units[unit] ?? ''}`;
}
