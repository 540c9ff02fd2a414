/**
 * The base of every error the library throws on purpose. Each class says when it is thrown; each message says what,
 * where, both values and the next step; the fields hold the same values for programs.
 */
export abstract class BergsonError extends Error {
  /** `name` is the class's, stable, for programs that cannot use `instanceof`. */
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Names in backquotes, with commas between. */
export function quote(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}
