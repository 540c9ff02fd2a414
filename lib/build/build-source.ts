/** A language model and a data set, opened as a configuration asks. */
import fs from 'node:fs';
import path from 'node:path';
import { findAttributedLayers } from '../capture/attributed-layers';
import { openDataset, type DatasetOptions, type TextDataset } from '../datasets/dataset';
import { loadCausalLM, type CausalLM } from '../models/causal-lm';
import type { CollectGradientsOptions } from '../run/collect-gradients';
import type { BuildConfig } from './build-config';
import { selectModules } from './modules';

export interface BuildSource {
  readonly lm: CausalLM;
  readonly dataset: TextDataset;
  /** The configuration with what the model and the data set settle: the context, the tokenizer, the columns. */
  readonly config: BuildConfig;
  /** Which of the model's gradients are collected, and how. */
  readonly collecting: Pick<
    CollectGradientsOptions,
    | 'layers'
    | 'includeBias'
    | 'attention'
    | 'projectionDim'
    | 'projectionType'
    | 'projectionTarget'
    | 'seed'
    | 'dtype'
  >;
  close(): Promise<void>;
}

/** @throws what `loadCausalLM` and `openDataset` throw; UnknownLayerError for modules that are not there */
export async function openSource(asked: BuildConfig): Promise<BuildSource> {
  const lm = await loadCausalLM(asked.model);
  try {
    const layers = layersOf(lm, asked);
    const fitted = { ...asked, contextLength: contextOf(lm, asked), tokenizer: tokenizerOf(asked) };
    const dataset = await openDataset(asked.dataset, datasetOptions(fitted));
    return {
      lm,
      dataset,
      config: { ...fitted, ...columnsOf(dataset) },
      collecting: {
        layers,
        includeBias: asked.includeBias,
        ...(asked.heads !== null && { attention: asked.heads }),
        projectionDim: asked.projectionDim,
        projectionType: asked.projectionType,
        projectionTarget: asked.projectionTarget,
        seed: asked.seed,
        dtype: asked.dtype,
      },
      async close() {
        lm.model.dispose();
        await dataset.close();
      },
    };
  } catch (error) {
    lm.model.dispose();
    throw error;
  }
}

function layersOf({ model, linearMaps }: CausalLM, { modules, includeBias }: BuildConfig): readonly string[] {
  if (modules === null) return linearMaps;
  return selectModules(
    modules,
    findAttributedLayers(model, { includeBias }).map(({ path }) => path),
  );
}

function contextOf({ contextLength }: CausalLM, asked: BuildConfig): number {
  return Math.min(contextLength, asked.contextLength ?? contextLength);
}

function tokenizerOf({ tokenizer, model }: BuildConfig): string | null {
  return tokenizer ?? (fs.existsSync(path.join(model, 'tokenizer.json')) ? model : null);
}

/** How the data set of `config` is read. */
export function datasetOptions(config: BuildConfig & { contextLength: number }): DatasetOptions {
  const { contextLength, longDocuments, tokenizer, split } = config;
  const { textColumn, promptColumn, completionColumn, conversationColumn, rewardColumn, groupColumn } =
    config;
  const columns = {
    textColumn,
    promptColumn,
    completionColumn,
    conversationColumn,
    rewardColumn,
    groupColumn,
  };
  const given = Object.entries({ tokenizer, split, ...columns }).filter(([, value]) => value !== null);
  return { contextLength, longDocuments, ...(Object.fromEntries(given) as Record<string, string>) };
}

/** The columns that are read, as options. */
function columnsOf({ columns: { document, reward } }: TextDataset): Partial<BuildConfig> {
  return {
    ...(document.kind === 'text' && { textColumn: document.text }),
    ...(reward !== undefined && { rewardColumn: reward.reward, groupColumn: reward.group }),
  };
}
