/** Goes on without what is damaged, where that is only to be shown. */
import { BergsonError } from '../errors';

/** Told of damage to what is then left out. */
export type OnDamage = (error: BergsonError) => void;

/** What `read` returns, or undefined if that is damaged and `onDamage` is told. Without `onDamage`, damage is thrown. */
export function unlessDamaged<T>(read: () => T, onDamage: OnDamage | undefined): T | undefined {
  try {
    return read();
  } catch (error) {
    if (onDamage === undefined || !(error instanceof BergsonError)) throw error;
    onDamage(error);
    return undefined;
  }
}
