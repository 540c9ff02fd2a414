/** What the columns of rows are made of, so that one operation of the addon makes all of a step's rows. */
import tf = require('@tensorflow/tfjs');
import { windowNumbers, type ProjectedPatches } from './project-patches';
import { share } from './share';
import type { ProjectedFactors } from './project-factors';
import type { ChannelGradients } from './sum-products';

/** Gradients by channel, [N, O, 1] as `channelGradients` gives them, on their way into a row. */
export interface ProjectedChannels extends ChannelGradients {
  /** Lᵀ [O, p]; null for the identity. */
  readonly left: tf.Tensor2D | null;
  readonly multiplier: number;
}

/** Part of a column's numbers: per-example gradients [N, ...], or what they are made from, all float32. */
export type RowTerm =
  | { readonly kind: 'gradients'; readonly gradients: tf.Tensor }
  | { readonly kind: 'factors'; readonly factors: ProjectedFactors }
  | { readonly kind: 'patches'; readonly patches: ProjectedPatches }
  | { readonly kind: 'channels'; readonly channels: ProjectedChannels };

/** The sum of its terms. Owns what it is told to keep. */
export class RowColumn {
  readonly terms: RowTerm[] = [];
  /** Of the tensors that it keeps. */
  bytes = 0;
  private readonly kept: tf.Tensor[] = [];

  add(term: RowTerm): void {
    this.terms.push(term);
  }

  /** Adds gradients, which it owns from now on. */
  addGradients(gradients: tf.Tensor): void {
    this.kept.push(tf.keep(gradients));
    this.add({ kind: 'gradients', gradients });
  }

  /** The same tensor, as float32, which stays until `dispose`. */
  keep<T extends tf.Tensor>(tensor: T): T {
    const kept = tf.keep(tensor.dtype === 'float32' ? share(tensor) : tensor.cast<T>('float32'));
    this.kept.push(kept);
    this.bytes += 4 * tensor.size;
    return kept;
  }

  dispose(): void {
    for (const tensor of this.kept) tensor.dispose();
  }
}

/** By name, in any order. */
export type RowColumns = ReadonlyMap<string, RowColumn>;

/** As in kernels/native/row-terms.cc. */
const KINDS = { gradients: 0, factors: 1, patches: 2, channels: 3 } as const;

/** An operation's inputs, and what they are to it. */
export class RowProgram {
  readonly inputs: tf.Tensor[] = [];
  private readonly integers: number[] = [];
  private readonly reals: number[] = [];

  /** Adds a column that begins at `offset` of each row. */
  addColumn(offset: number, terms: readonly RowTerm[]): void {
    this.integers.push(offset, terms.length);
    for (const term of terms) this.addTerm(term);
  }

  /** What kernels/native/row-terms.cc reads. */
  encode(): { integers: Int32Array; reals: Float64Array } {
    return { integers: new Int32Array(this.integers), reals: new Float64Array(this.reals) };
  }

  private addTerm(term: RowTerm): void {
    this.integers.push(KINDS[term.kind]);
    switch (term.kind) {
      case 'gradients':
        this.addInput(term.gradients);
        return;
      case 'factors': {
        const { factors } = term;
        this.addProjection(factors.activations, factors);
        return;
      }
      case 'patches': {
        const { patches } = term;
        this.addProjection(patches.image, patches);
        this.integers.push(...windowNumbers(patches.image, patches.window));
        return;
      }
      case 'channels': {
        const { outputGradients, values, center, variance, left, ...rest } = term.channels;
        for (const input of [outputGradients, values, center, variance, left]) this.addInput(input);
        this.integers.push(Number(rest.scale), Number(rest.shift));
        this.reals.push(rest.multiplier, rest.epsilon);
      }
    }
  }

  private addProjection(
    activations: tf.Tensor,
    { right, biasRow, outputGradients, left, multiplier }: Omit<ProjectedFactors, 'activations'>,
  ): void {
    this.addInput(activations);
    this.addInput(right);
    this.addInput(biasRow);
    this.addInput(outputGradients);
    this.addInput(left);
    this.reals.push(multiplier);
  }

  private addInput(input: tf.Tensor | null): void {
    this.integers.push(input === null ? -1 : this.inputs.push(input) - 1);
  }
}
