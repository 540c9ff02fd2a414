/** Rows that the addon writes while training goes on. */
import type { BegunRowWrite } from '../../kernels/write-rows';
import { DiskWriteError, NonFiniteValueError } from '../errors';
import { layerOfColumn, rowWidth, type StoreLayout } from './format';

/** What a store's writer does when it is known what became of rows. */
export interface Reaction {
  readonly written: () => void;
  readonly failed: () => void;
}

export class BegunRows {
  constructor(
    private readonly write: BegunRowWrite,
    private readonly layout: StoreLayout,
    private readonly examples: Int32Array,
    private readonly reaction: Reaction,
  ) {}

  /** Waits until they are written. Throws {@link NonFiniteValueError}, {@link DiskWriteError}; they then count as not written. */
  settle(): void {
    const { write, layout, examples, reaction } = this;
    const outcome = write.outcome();
    if (outcome.kind === 'written') {
      reaction.written();
      return;
    }
    reaction.failed();
    if (outcome.kind === 'failed') throw new DiskWriteError(outcome.file, outcome.bytes, outcome.code);
    const { index, value } = outcome;
    const width = rowWidth(layout);
    const example = examples[Math.floor(index / width)] ?? -1;
    throw new NonFiniteValueError('the gradient', value, layerOfColumn(layout, index % width), example);
  }
}
