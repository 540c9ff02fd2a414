/** One way through a data set: rows, documents, tokens, examples. */
import type { ChatTemplate } from './chat-template';
import type { Columns } from './columns';
import type { Tally } from './counts';
import { NO_LOSS, type Document, type Fitting, type Piece, type TokenizedDocument } from './document';
import { toReward, type GroupMeans } from './group-means';
import { toPieces } from './pieces';
import { readDocument, type TokenRow } from './read-document';
import type { Row } from './row-source';
import type { Tokenizer } from './tokenizer';
import type { TokenizedExample } from './tokenized-example';

/** What a pass needs to know. */
export interface PassSettings {
  readonly columns: Columns;
  /** There if rows are conversations. */
  readonly template: ChatTemplate | undefined;
  /** There if rewards are given. */
  readonly means: GroupMeans | undefined;
  /** There unless rows are tokens; then it tells their text, if it is there. */
  readonly thread: Tokenizer | undefined;
  readonly fitting: Fitting;
  /** The data set's number of the first row. */
  readonly firstRow: number;
  readonly wanted: ((id: number) => boolean) | undefined;
}

/** A row on its way. */
interface RowInWork {
  readonly row: number;
  readonly content: Document | TokenRow;
  readonly reward: Reward | undefined;
}

interface Reward {
  readonly reward: number;
  readonly advantage: number;
}

/** Rows tokenized by one message to the thread, at most; and characters, or tokens, from which on a message is full. */
const BLOCK_ROWS = 64;
const BLOCK_SIZE = 256 * 1024;

/** Blocks that are tokenized or waiting to be while the model works. */
const BLOCKS_AHEAD = 4;

/** Makes the examples of a data set's rows, once. */
export class DatasetPass {
  private nextChunk = 0;

  constructor(
    private readonly settings: PassSettings,
    private readonly tally: Tally,
  ) {}

  /** The examples of `rows`, in order. Rows are read only as far ahead as there are blocks in work. */
  async *examples(rows: AsyncIterable<Row>): AsyncGenerator<TokenizedExample> {
    const inWork: { block: readonly RowInWork[]; documents: Promise<TokenizedDocument[]> }[] = [];
    const finish = async (): Promise<TokenizedExample[]> => {
      const first = inWork.shift();
      const documents = await (first?.documents ?? []);
      return documents.flatMap((document, i) =>
        this.toExamples((first?.block ?? [])[i] as RowInWork, document),
      );
    };
    for await (const block of blocks(this.rowsInWork(rows))) {
      const documents = this.tokenize(block);
      documents.catch(() => undefined); // awaited when its turn comes, or nobody is left to care
      inWork.push({ block, documents });
      if (inWork.length > BLOCKS_AHEAD) yield* await finish();
    }
    while (inWork.length > 0) yield* await finish();
  }

  /** The rows that are wanted and can be used. */
  private async *rowsInWork(rows: AsyncIterable<Row>): AsyncGenerator<RowInWork> {
    let row = this.settings.firstRow;
    for await (const values of rows) {
      this.tally.rows++;
      const work = this.isWanted(row) ? this.read(values, row) : undefined;
      if (work) yield work;
      row++;
    }
  }

  private get chunks(): boolean {
    return this.settings.fitting.longDocuments === 'chunk';
  }

  private isWanted(row: number): boolean {
    const { wanted, firstRow } = this.settings;
    // Which chunks a row will have is not known yet.
    if (this.chunks || wanted === undefined || wanted(row - firstRow)) return true;
    this.tally.unwanted++;
    return false;
  }

  private read(values: Row, row: number): RowInWork | undefined {
    const { columns, template, means } = this.settings;
    const content = readDocument(values, columns.document, template);
    if ('unusable' in content) {
      this.tally.skip(row, content.unusable);
      return undefined;
    }
    if (columns.reward === undefined || means === undefined) return { row, content, reward: undefined };
    const reward = toReward(values[columns.reward.reward]);
    if (reward !== undefined)
      return {
        row,
        content,
        reward: { reward, advantage: means.advantage(values[columns.reward.group], reward) },
      };
    this.tally.skip(row, `no number in \`${columns.reward.reward}\``);
    return undefined;
  }

  private async tokenize(block: readonly RowInWork[]): Promise<TokenizedDocument[]> {
    const { thread } = this.settings;
    const texts = block.flatMap(({ content }) => ('text' in content ? [content] : []));
    if (texts.length > 0) return (await thread?.tokenize(texts)) ?? [];
    const documents = block.flatMap(({ content }) => ('text' in content ? [] : [this.fit(content)]));
    const decoded = await thread?.decode(
      documents.flatMap(({ pieces }) => pieces.map(({ inputIds }) => inputIds)),
    );
    if (decoded === undefined) return documents;
    const withText = (piece: Piece): Piece => ({ ...piece, text: decoded.shift() ?? '' });
    return documents.map(({ pieces, truncated }) => ({ pieces: pieces.map(withText), truncated }));
  }

  private fit({ inputIds, labels }: TokenRow): TokenizedDocument {
    return toPieces(inputIds, labels, this.settings.fitting);
  }

  private toExamples(work: RowInWork, { pieces, truncated }: TokenizedDocument): TokenizedExample[] {
    if (truncated) this.tally.truncated++;
    if (pieces.length > 1) this.tally.chunked++;
    return pieces.flatMap((piece) => {
      const id = this.chunks ? this.nextChunk++ : work.row - this.settings.firstRow;
      if (this.chunks && this.settings.wanted?.(id) === false) {
        this.tally.unwanted++;
        return [];
      }
      if (!piece.labels.subarray(1).some((label) => label !== NO_LOSS)) {
        this.tally.skip(work.row, withoutLoss(piece, pieces.length));
        return [];
      }
      this.tally.examples++;
      this.tally.tokens += piece.inputIds.length;
      return [toExample(id, work, piece, this.chunks)];
    });
  }
}

/** Why there is no loss of a piece of a document that has so many. */
export function withoutLoss({ inputIds }: Piece, pieces: number): string {
  if (pieces > 1) return 'a chunk without a token that the loss counts';
  if (inputIds.length === 0) return 'no tokens';
  return inputIds.length === 1
    ? 'a single token, which predicts none'
    : 'no token that the loss counts within the context';
}

function toExample(
  id: number,
  { row, content, reward }: RowInWork,
  piece: Piece,
  chunk: boolean,
): TokenizedExample {
  const text = 'text' in content ? content.text.slice(...(piece.textRange ?? [0])) : piece.text;
  const offset = chunk ? { tokenOffset: piece.tokenOffset } : {};
  const { inputIds, labels } = piece;
  const record = { ...(text !== undefined && { text }), row, ...offset, ...reward };
  return { id, inputIds, labels, record, ...(reward && { weight: reward.advantage }) };
}

/** Rows in blocks of a size that is worth a message. */
async function* blocks(rows: AsyncIterable<RowInWork>): AsyncGenerator<RowInWork[]> {
  let block: RowInWork[] = [];
  let size = 0;
  for await (const row of rows) {
    block.push(row);
    size += 'text' in row.content ? row.content.text.length : row.content.inputIds.length;
    if (block.length < BLOCK_ROWS && size < BLOCK_SIZE) continue;
    yield block;
    block = [];
    size = 0;
  }
  if (block.length > 0) yield block;
}
