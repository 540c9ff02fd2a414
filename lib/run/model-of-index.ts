/** The model that asks an imported index: its layers, and how gradients are made so that they are as the index's rows. */
import fs from 'node:fs';
import path from 'node:path';
import { findAttributedLayers } from '../capture/attributed-layers';
import { tokenizerFile } from '../datasets/tokenizer-file';
import { ImportModelError, UnknownLayerError } from '../errors';
import { GradientCollector } from '../gradient-collector';
import type { Attention } from '../layers/attention-heads';
import { loadCausalLM, type CausalLM } from '../models/causal-lm';
import { describeColumns, type Column, type StoreLayout } from '../store/format';
import { readBergsonSettings, type BergsonSettings } from './bergson-settings';
import { describeModel, type ModelDescription } from './describe-model';
import { digestWeights } from './model-files';
import type { RunManifest } from './run-manifest';

/**
 * What a run of the index in `source`, of `layout`, says of the language model in `folder`, which stays where it is. Needs a backend.
 * @throws ImportModelError where its gradients cannot be made as the index's were; what `loadCausalLM` throws
 */
export async function describeModelOfIndex(
  source: string,
  layout: StoreLayout,
  folder: string,
): Promise<ModelDescription & Pick<RunManifest, 'frozen' | 'weightsDigest'>> {
  const settings = readBergsonSettings(source);
  const lm = await loadCausalLM(folder);
  try {
    const collector = collect(source, layout.columns, settings, lm);
    const [expected, found] = [layout.columns, collector.columns].map(describeColumns);
    if (expected !== found)
      throw new ImportModelError(
        source,
        `its columns are ${expected}, and those of the model in ${folder} ${found}`,
      );
    const { model_type: architecture } = lm.config;
    return {
      ...describeModel(lm.model, collector),
      weightsDigest: digestWeights(lm.model),
      frozen: {
        attribute: layout.examples === undefined ? 'examples' : 'tokens',
        lossReduction: settings.lossReduction,
        model: {
          path: path.resolve(folder),
          tokenizer: fs.existsSync(tokenizerFile(folder)) ? path.resolve(folder) : null,
          architecture: typeof architecture === 'string' ? architecture : null,
        },
      },
    };
  } finally {
    lm.model.dispose();
  }
}

const HEAD = /\.head_\d+$/;

function collect(
  source: string,
  columns: readonly Column[],
  { projectionDim, includeBias, heads }: BergsonSettings,
  { model }: CausalLM,
): GradientCollector {
  const layers = [...new Set(columns.map(({ layer }) => layer.replace(HEAD, '')))];
  try {
    const attention: Attention = Object.fromEntries(
      findAttributedLayers(model, { layers, includeBias }).flatMap(({ path: layer, parts }) => {
        const numHeads = columns.filter(
          (column) => HEAD.test(column.layer) && column.layer.startsWith(`${layer}.`),
        ).length;
        const outputs = parts[0]?.gradientShape[0] ?? 0;
        return numHeads === 0
          ? []
          : [[layer, heads ?? { numHeads, headSize: outputs / numHeads, headDim: 2 }]];
      }),
    );
    return new GradientCollector(model, {
      ...{ layers, includeBias, attention, projectionDim },
      projectionType: 'bergson',
      lossReduction: 'sum',
    });
  } catch (cause) {
    if (!(cause instanceof UnknownLayerError)) throw cause;
    throw new ImportModelError(source, `the model has none of its layers: ${cause.message}`, { cause });
  }
}
