/** A run on disk, finished or not: what it is of, what it holds, and where. */
import fs from 'node:fs';
import { RunNotFoundError, UnknownStoreError } from '../errors';
import { TrainingOrderReader } from '../store/training-order';
import { ExampleRecords, type ExampleRecord } from './example-records';
import { readRunManifest, type RunManifest } from './run-manifest';
import { ACCUMULATED, STATIC, preconditionedStore, runPaths } from './run-paths';

export class Run {
  private records: ExampleRecords | undefined;
  private order: TrainingOrderReader | undefined;

  private constructor(
    readonly path: string,
    readonly manifest: RunManifest,
    /** Names of the gradient stores it holds, epochs in order and the accumulated one first; or that of a frozen model. */
    readonly stores: readonly string[],
    /** Names of the stores of preconditioned rows, each made from one of `stores`. */
    readonly preconditionedStores: readonly string[],
  ) {}

  /** Opens the run in `path`, finished or not. @throws RunNotFoundError, CorruptRecordError, UnsupportedVersionError */
  static open(path: string): Run {
    let manifest: RunManifest;
    try {
      manifest = readRunManifest(path);
    } catch (cause) {
      if (!['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) throw cause;
      const reason = reasonWhyNot(path);
      throw new RunNotFoundError(path, reason, { cause });
    }
    const { stores, preconditioned } = findStores(path);
    return new Run(path, manifest, stores, preconditioned);
  }

  /** One sentence: whether the run was finished, and what it holds. */
  describe(): string {
    const { state, epochs, examples, frozen, imported } = this.manifest;
    if (imported !== undefined)
      return `an index of Bergson's, imported from ${imported}, over ${examples ?? 0} examples${ofModel(frozen)}`;
    if (frozen !== null) return describeFrozen(this.manifest);
    const held = `${epochs.length} finished epoch${epochs.length === 1 ? '' : 's'} over ${examples ?? 'an unknown number of'} examples`;
    if (state === 'complete') return `a complete run of ${held}`;
    return `an unfinished run: training ended early or is still going; it holds ${held}, and ${this.stores.length} gradient stores`;
  }

  /** `name`, if the run holds that store; by default the accumulated one, the last epoch's, or the only one. @throws UnknownStoreError */
  storeName(name = this.stores[0] === ACCUMULATED ? ACCUMULATED : this.stores.at(-1)): string {
    const known = [...this.stores, ...this.preconditionedStores];
    if (name === undefined || !known.includes(name)) {
      throw new UnknownStoreError(this.path, name, known);
    }
    return name;
  }

  /** The directory of the store that `storeName` names. @throws UnknownStoreError */
  storeDirectory(name?: string): string {
    return runPaths.store(this.path, this.storeName(name));
  }

  /** When training saw which examples; undefined unless the run tracked it. @throws CorruptRecordError */
  trainingOrder(): TrainingOrderReader | undefined {
    if (this.order !== undefined) return this.order;
    const file = runPaths.trainingOrder(this.path);
    const order = fs.existsSync(file) ? TrainingOrderReader.open(file) : undefined;
    // Opening checks all of the log, which is final only when the run is.
    if (this.manifest.state === 'complete') this.order = order;
    return order;
  }

  /** Whether the run was told anything of its examples. */
  get hasRecords(): boolean {
    return fs.existsSync(runPaths.examples(this.path));
  }

  /** What the run was told of these examples, by id; without any that it was told nothing of. */
  exampleRecords(examples: Iterable<number>): Map<number, ExampleRecord> {
    const file = runPaths.examples(this.path);
    if (this.records === undefined && !fs.existsSync(file)) return new Map();
    this.records ??= ExampleRecords.open(file);
    return this.records.read(examples);
  }
}

/** Says by which model an imported index can be asked. */
function ofModel(frozen: RunManifest['frozen']): string {
  const model = frozen?.model ?? null;
  return model === null ? '' : `, of the model in ${model.path}`;
}

function reasonWhyNot(path: string): string {
  if (!fs.existsSync(path)) return 'it does not exist';
  if (!fs.statSync(path).isDirectory()) return 'it is a file';
  const foreign = fs.existsSync(`${path}/gradients.bin`) && fs.existsSync(`${path}/info.json`);
  return foreign
    ? 'it is a gradient store or an index of Bergson’s, of which `bergson import` makes one'
    : 'it holds no run.msgpack';
}

function describeFrozen({ state, examples, failed }: RunManifest): string {
  const of = `one frozen model over ${examples ?? 'an unknown number of'} examples`;
  const without = failed.length === 0 ? '' : `, of which ${failed.length} failed and have no row`;
  if (state === 'complete') return `a complete run of ${of}${without}`;
  return `an unfinished run of ${of}: it ended early or is still going; the same call goes on with it`;
}

function findStores(run: string): { stores: string[]; preconditioned: string[] } {
  const names = fs.existsSync(runPaths.stores(run)) ? fs.readdirSync(runPaths.stores(run)) : [];
  const epochs = names.filter((name) => /^epoch_\d+$/.test(name));
  const number = (name: string) => Number(name.slice('epoch_'.length));
  const accumulated = names.includes(ACCUMULATED) ? [ACCUMULATED] : [];
  const frozen = names.includes(STATIC) ? [STATIC] : [];
  const stores = [...frozen, ...accumulated, ...epochs.sort((a, b) => number(a) - number(b))];
  return { stores, preconditioned: stores.map(preconditionedStore).filter((name) => names.includes(name)) };
}
