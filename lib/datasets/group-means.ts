/** Mean rewards by group, the baseline of Dr. GRPO. */
import { createHash } from 'node:crypto';

interface Sum {
  total: number;
  count: number;
}

/**
 * Rewards against their group's mean: the advantage r - mean(r) of Dr. GRPO, which divides neither by the group's standard
 * deviation nor by a completion's length (Liu et al. 2025, Understanding R1-Zero-Like Training). Memory holds a sum, a count
 * and a digest for each group, however long the prompt that names it.
 */
export class GroupMeans {
  private readonly sums = new Map<string, Sum>();

  /** Counts a reward in. */
  add(group: unknown, reward: number): void {
    const key = keyOf(group);
    const sum = this.sums.get(key);
    if (sum === undefined) this.sums.set(key, { total: reward, count: 1 });
    else {
      sum.total += reward;
      sum.count++;
    }
  }

  /** `reward` less the mean of its group, which must have been counted in. */
  advantage(group: unknown, reward: number): number {
    const sum = this.sums.get(keyOf(group));
    if (sum === undefined) throw new Error('internal: a reward whose group was never counted');
    return reward - sum.total / sum.count;
  }
}

/** Tells groups apart by value and type. */
function keyOf(group: unknown): string {
  const value = typeof group === 'bigint' ? Number(group) : group;
  return createHash('sha256')
    .update(JSON.stringify(value ?? null))
    .digest('base64');
}

/** A reward as a number, also from the text a CSV holds; undefined if it is none. */
export function toReward(value: unknown): number | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (
    typeof value !== 'number' &&
    typeof value !== 'string' &&
    typeof value !== 'bigint' &&
    typeof value !== 'boolean'
  )
    return undefined;
  const reward = Number(value);
  return Number.isFinite(reward) ? reward : undefined;
}
