/** What a build will take, measured on a few batches and not built. */
import { batchByTokens } from '../datasets/batch-by-tokens';
import type { DatasetCounts } from '../datasets/counts';
import type { TokenizedExample } from '../datasets/tokenized-example';
import { GradientCollector } from '../gradient-collector';
import { batchRows, placesOf } from '../run/batch-rows';
import { gradientBytes } from '../store/format';
import { TokenOffsets } from '../store/token-offsets';
import type { BuildConfig } from './build-config';
import { fitOn, sampleIds } from './build-run';
import { openSource, type BuildSource } from './build-source';
import { languageBatch } from './language-batches';
import { batchShapes, surveyDataset, type BatchShape, type Survey } from './survey';
import { modelSize, workOf } from './work';

export interface BuildPlan {
  readonly config: BuildConfig;
  readonly counts: DatasetCounts;
  readonly rows: number;
  /** Numbers in a row, and the layers or parts they are of. */
  readonly width: number;
  readonly parts: number;
  /** Of the gradients, on disk. */
  readonly bytes: number;
  /** Of the index beside them; 0 if none is asked for. */
  readonly indexBytes: number;
  /** The most memory that this process held while it measured, the largest of the first batches included. */
  readonly memoryBytes: number;
  readonly seconds: { readonly normalizer: number; readonly gradients: number };
  /** Batches that were timed, of all. */
  readonly timed: number;
  readonly batches: number;
}

/** Batches that are timed, at most. */
const PROBES = 6;
/** How many examples are looked at for them: those that `batchByTokens` puts in order at a time. */
const WINDOW = 2048;
/** Links of a row in the index: ids of neighbors on the lowest level, and what comes with them. */
const INDEX_BYTES_A_ROW = 4 * (2 * 16 + 1) + 8;

/** Goes over the data set, and runs the model on a few batches of it. Writes nothing. @throws as `buildRun` */
export async function planBuild(asked: BuildConfig): Promise<BuildPlan> {
  const source = await openSource(asked);
  try {
    const survey = await surveyDataset(source.dataset, null);
    const { config, lm } = source;
    const shapes = await batchShapes(survey, config.tokenBatchSize);
    const size = modelSize(lm);
    const work = (of: readonly BatchShape[]) => of.reduce((sum, shape) => sum + workOf(shape, size), 0);
    const probes = await probesOf(source, probePlaces(shapes));
    const timing = await time(source, survey, probes);
    const total = work(shapes) / work(probes.map(shapeOf));
    const sample = sampleIds(survey, config.normalizerSample);
    const share = [...sample].reduce((sum, id) => sum + (survey.lengths[id] ?? 0), 0) / survey.counts.tokens;
    const { offsets, columns } = timing;
    const rows = offsets?.rows ?? survey.lengths.length;
    const layout = { rows, dtype: config.dtype, columns };
    return {
      config,
      counts: survey.counts,
      rows,
      width: columns.reduce((sum, { width }) => sum + width, 0),
      parts: columns.length,
      bytes: gradientBytes(layout),
      indexBytes: config.index
        ? gradientBytes({ ...layout, dtype: 'float32' }) + rows * INDEX_BYTES_A_ROW
        : 0,
      memoryBytes: 1024 * process.resourceUsage().maxRSS,
      seconds: { normalizer: timing.fitting * total * share, gradients: timing.collecting * total },
      timed: probes.length,
      batches: shapes.length,
    };
  } finally {
    await source.close();
  }
}

type Probe = readonly TokenizedExample[];

function shapeOf(probe: Probe): BatchShape {
  return [probe.length, Math.max(...probe.map(({ inputIds }) => inputIds.length))];
}

/** Places of batches at equal distances among the first, from the longest to the shortest. */
function probePlaces(shapes: readonly BatchShape[]): ReadonlySet<number> {
  let examples = 0;
  const first = shapes.filter(([size]) => (examples += size) <= WINDOW);
  const among = Math.max(1, first.length);
  const count = Math.min(PROBES, among);
  return new Set(
    Array.from({ length: count }, (_, i) => Math.round((i * (among - 1)) / Math.max(1, count - 1))),
  );
}

async function probesOf({ dataset, config }: BuildSource, places: ReadonlySet<number>): Promise<Probe[]> {
  const probes: Probe[] = [];
  let place = 0;
  for await (const batch of batchByTokens(dataset.examples(), { tokenBudget: config.tokenBatchSize })) {
    if (places.has(place++)) probes.push(batch);
    if (probes.length === places.size) break;
  }
  return probes;
}

/** Seconds that the probes take once the first has run, and what their rows are. */
async function time(source: BuildSource, survey: Survey, probes: readonly Probe[]) {
  const { config, lm, collecting } = source;
  const ids = new Set(probes.flatMap((probe) => probe.map(({ id }) => id)));
  const fitting = { begun: performance.now(), seconds: 0 };
  const normalizer = config.normalizer === 'none' ? null : await fitOn(source, ids, () => undefined);
  if (normalizer !== null) fitting.seconds = (performance.now() - fitting.begun) / 1000;
  const { attribute } = config;
  const options = { ...collecting, normalizer, attribute, lossReduction: 'sum' } as const;
  const collector = new GradientCollector(lm.model, options);
  try {
    const offsets =
      attribute === 'tokens'
        ? TokenOffsets.of(survey.lengths.map((length) => Math.max(0, length - 1)))
        : undefined;
    const run = (probe: Probe) => {
      const batch = languageBatch(lm, probe, config.lossReduction);
      return batchRows(collector, batch, placesOf(batch.ids, offsets));
    };
    if (probes[0] !== undefined) await run(probes[0]);
    const begun = performance.now();
    for (const probe of probes) await run(probe);
    const seconds = (performance.now() - begun) / 1000;
    return { collecting: seconds, fitting: fitting.seconds, columns: collector.columns, offsets };
  } finally {
    collector.dispose();
    normalizer?.dispose();
  }
}
