/**
 * numpy's default generator: PCG64 (XSL-RR, 128 bits of state, O'Neill 2014), seeded by its SeedSequence. Only what
 * reproduces `Generator(PCG64(seed)).bytes(n)` is here.
 */

const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;
const [BITS_64, BITS_128] = [64, 128] as const;

export class Pcg64 {
  private state: bigint;
  private readonly increment: bigint;

  /** @param seed From 0, below 2⁶⁴. */
  constructor(seed: bigint) {
    const [s1 = 0n, s0 = 0n, i1 = 0n, i0 = 0n] = spreadSeed(seed, 4);
    this.increment = BigInt.asUintN(BITS_128, (((i1 << 64n) | i0) << 1n) | 1n);
    this.state = 0n;
    this.step();
    this.state = BigInt.asUintN(BITS_128, this.state + ((s1 << 64n) | s0));
    this.step();
  }

  /** The generator's state and increment, as numpy shows them. */
  get internals(): { readonly state: bigint; readonly increment: bigint } {
    return { state: this.state, increment: this.increment };
  }

  /** The next `count` bytes: those of 64-bit words, each with its lowest byte first. */
  bytes(count: number): Uint8Array {
    const words = new BigUint64Array(Math.ceil(count / 8));
    for (let i = 0; i < words.length; i++) words[i] = this.next();
    // Typed arrays lie in the machine's order, which is the little-endian one wherever TensorFlow runs.
    return new Uint8Array(words.buffer, 0, count);
  }

  private next(): bigint {
    this.step();
    const folded = BigInt.asUintN(BITS_64, (this.state >> 64n) ^ this.state);
    const rotation = this.state >> 122n;
    return BigInt.asUintN(BITS_64, (folded >> rotation) | (folded << (64n - rotation)));
  }

  private step(): void {
    this.state = BigInt.asUintN(BITS_128, this.state * MULTIPLIER + this.increment);
  }
}

/** numpy's `SeedSequence(seed).generate_state(count, uint64)`: a pool of four words, mixed; then hashed once more. */
function spreadSeed(seed: bigint, count: number): bigint[] {
  const entropy = [Number(BigInt.asUintN(32, seed)), Number(seed >> 32n)];
  const fill = hash(0x43b0d7e5, 0x931e8875);
  const pool = Array.from({ length: 4 }, (_, i) => fill(entropy[i] ?? 0));
  for (let source = 0; source < 4; source++) {
    for (let target = 0; target < 4; target++) {
      if (source !== target) pool[target] = mix(pool[target] ?? 0, fill(pool[source] ?? 0));
    }
  }
  const draw = hash(0x8b51f9dd, 0x58f38ded);
  const words = Array.from({ length: 2 * count }, (_, i) => BigInt(draw(pool[i % 4] ?? 0)));
  return Array.from({ length: count }, (_, i) => (words[2 * i] ?? 0n) | ((words[2 * i + 1] ?? 0n) << 32n));
}

/** A hash of 32-bit words of which each call changes the constants. */
function hash(initial: number, multiplier: number): (word: number) => number {
  let constant = initial;
  return (word) => {
    const mixed = word ^ constant;
    constant = Math.imul(constant, multiplier);
    return shifted(Math.imul(mixed, constant));
  };
}

function mix(left: number, right: number): number {
  return shifted(Math.imul(0xca01f9dd, left) - Math.imul(0x4973f715, right));
}

/** `word` exclusive-or its own upper half, unsigned. */
function shifted(word: number): number {
  return (word ^ (word >>> 16)) >>> 0;
}
