/** What a data set holds, from one pass over it without the model. */
import { batchByTokens } from '../datasets/batch-by-tokens';
import type { DatasetCounts } from '../datasets/counts';
import type { TextDataset } from '../datasets/dataset';
import { ExampleWriter } from '../run/example-records';

export interface Survey {
  /** Tokens of each example by id; 0 for rows that make none. */
  readonly lengths: Int32Array;
  readonly counts: DatasetCounts;
}

/** A batch's examples, and the length that they are padded to. */
export type BatchShape = readonly [examples: number, tokens: number];

/**
 * Goes over `dataset` once. Given a file, writes the examples' records there; tells how many rows were read.
 * @throws EmptyDatasetError, DiskWriteError
 */
export async function surveyDataset(
  dataset: TextDataset,
  recordsFile: string | null,
  onProgress?: (rows: number) => void,
): Promise<Survey> {
  let lengths = new Int32Array(dataset.exampleCount ?? 1024);
  let examples = dataset.exampleCount ?? 0;
  const writer = recordsFile === null ? null : ExampleWriter.create(recordsFile);
  try {
    for await (const { id, inputIds, record } of dataset.examples()) {
      if (id >= lengths.length) {
        const longer = new Int32Array(2 * lengths.length);
        longer.set(lengths);
        lengths = longer;
      }
      lengths[id] = inputIds.length;
      examples = Math.max(examples, id + 1);
      writer?.add(id, record);
      onProgress?.(dataset.counts.rows);
    }
    writer?.finish(examples);
  } catch (error) {
    writer?.abort();
    throw error;
  }
  return { lengths: lengths.subarray(0, examples), counts: dataset.counts };
}

/** Ids of examples that there are. */
export function usableIds({ lengths }: Survey): number[] {
  return [...lengths.keys()].filter((id) => (lengths[id] ?? 0) > 0);
}

/** The batches that these examples will come in. */
export async function batchShapes(
  { lengths }: Pick<Survey, 'lengths'>,
  tokenBatchSize: number,
): Promise<BatchShape[]> {
  async function* examples() {
    for (const length of lengths) if (length > 0) yield await Promise.resolve({ inputIds: { length } });
  }
  const shapes: BatchShape[] = [];
  for await (const batch of batchByTokens(examples(), { tokenBudget: tokenBatchSize })) {
    shapes.push([batch.length, Math.max(...batch.map(({ inputIds }) => inputIds.length))]);
  }
  return shapes;
}
