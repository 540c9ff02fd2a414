/** Scans blocks with the native addon: kernels/native/scan.cc. */
import type { Addon } from '../addon';
import { PackedHits, scaleQueries, type BlockScanner, type ScanQuestion } from './block-scanner';

/** Up to as many queries are multiplied with a row one by one; more of them as a matrix. Known to scan.h, too. */
const FEW_QUERIES = 4;

/** Rows of a tile in scan.cc: so many hits there may be at once for each query. */
const TILE_ROWS = 120;

/** Hits there is room for at least, so that thresholds are not looked at too often. */
const LEAST_ROOM = 16_384;

const EVERY_ROW = new Uint8Array(0);
const NO_FACTORS = new Float32Array(0);
const NO_RESIDUALS = new Float32Array(0);

export class NativeScanner implements BlockScanner {
  readonly block: Uint8Array;
  readonly scales: Float64Array;
  readonly highest: Float32Array;
  readonly lowest: Float32Array;
  readonly hits: PackedHits;
  private readonly facts: Int32Array;
  private readonly ranges: Uint32Array;
  private readonly queries: Float32Array;
  private readonly margins: Float32Array;
  private readonly residualMargins: Float32Array;

  constructor(
    private readonly addon: Addon,
    question: ScanQuestion,
  ) {
    const { width, half, ranges, unitNorm, blockRows } = question;
    const scaled = scaleQueries(question);
    const columns = scaled[0]?.values.length ?? 0;
    const few = scaled.length <= FEW_QUERIES;
    const strip = few ? 1 : scaled.length <= 8 ? 8 : 16;
    const padded = Math.ceil(scaled.length / strip) * strip;
    this.block = new Uint8Array(blockRows * width * (half ? 2 : 4));
    this.scales = Float64Array.from(scaled, ({ scale }) => scale);
    this.highest = new Float32Array(padded).fill(Infinity);
    this.lowest = new Float32Array(padded).fill(-Infinity);
    this.highest.fill(-Infinity, 0, scaled.length);
    this.lowest.fill(Infinity, 0, scaled.length);
    this.margins = new Float32Array(padded);
    this.margins.set(scaled.map(({ margin }) => margin));
    this.residualMargins = new Float32Array(padded);
    this.residualMargins.set(scaled.map(({ residualMargin }) => residualMargin));
    this.hits = new PackedHits(new Float32Array(4 * Math.max(LEAST_ROOM, 2 * TILE_ROWS * scaled.length)));
    this.ranges = Uint32Array.from(ranges.flatMap(({ begin, end }) => [begin, end]));
    this.queries = new Float32Array(padded * columns);
    scaled.forEach(({ values }, query) => {
      if (few) this.queries.set(values, query * columns);
      else {
        // [columns, strip], strip after strip.
        const start = Math.floor(query / strip) * strip * columns + (query % strip);
        for (let i = 0; i < columns; i++) this.queries[start + i * strip] = values[i]!;
      }
    });
    this.facts = Int32Array.of(0, 0, width, +half, +unitNorm, scaled.length, strip, columns);
  }

  scan(
    first: number,
    count: number,
    written = EVERY_ROW,
    factors = NO_FACTORS,
    residuals = NO_RESIDUALS,
  ): number {
    const { facts, block, ranges, queries, highest, lowest, margins, residualMargins, hits } = this;
    facts[0] = first;
    facts[1] = count;
    hits.count = this.addon.scan(
      facts,
      block,
      written,
      factors,
      ranges,
      queries,
      highest,
      lowest,
      margins,
      residualMargins,
      residuals,
      hits.floats,
    );
    return facts[0];
  }
}
