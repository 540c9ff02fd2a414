/**
 * Every error the library throws on purpose. Each class says when it is thrown; each message says what,
 * where, both values and the next step; the fields hold the same values for programs.
 */

/** Base of all tagged errors: `error.tag` is stable, for `switch`; `error.name` is the class. */
export abstract class BergsonError extends Error {
  abstract readonly tag: string;

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}
