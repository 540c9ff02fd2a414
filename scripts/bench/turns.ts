/** Lets several calls of `fit` train in one process, some steps of one of them at a time. */
import tf = require('@tensorflow/tfjs');
import { awaitBackground } from '../../kernels/background';

/** Something that trains in turns. */
export interface Player {
  /** Runs before each turn and returns what runs after it; neither is timed. */
  enter(): () => void;
  /** Told how long each turn took, in milliseconds: its training steps with all their callbacks. */
  onTurn(milliseconds: number): void;
}

/**
 * Hands turns around until every player has left. A turn lasts from a player's batch to that of its next turn: the steps, the
 * callbacks at their ends, whatever its callbacks do before the next batch, and what all that left to the background. Each round
 * starts with another player.
 */
export class Turns {
  private readonly waiting = new Map<Player, () => void>();
  private players: Player[];
  private round: Player[] = [];
  private rounds = 0;
  private current: { player: Player; start: number; leave: () => void } | null = null;

  /** What a step leaves to the background is done during the next one of its turn, but for the last one's. */
  constructor(
    players: readonly Player[],
    readonly stepsATurn: number,
  ) {
    this.players = [...players];
  }

  /** Put first among the callbacks of a player's `fit`, which must train for one epoch. */
  callback(player: Player): tf.Callback {
    return new TurnCallback(
      this.stepsATurn,
      () => this.wait(player),
      () => {
        this.finishTurn(player);
      },
    );
  }

  /** Ends the last, longer turn of a player, once its `fit` has returned. Returns its milliseconds, untold. */
  leave(player: Player): number {
    const milliseconds = this.current === null ? NaN : performance.now() - this.current.start;
    this.current?.leave();
    this.current = null;
    this.players = this.players.filter((other) => other !== player);
    this.round = this.round.filter((other) => other !== player);
    this.next();
    return milliseconds;
  }

  private wait(player: Player): Promise<void> {
    if (this.current?.player === player) {
      this.finishTurn(player);
      this.current.leave();
      this.current = null;
    }
    return new Promise((resolve) => {
      this.waiting.set(player, resolve);
      this.next();
    });
  }

  /** Tells the player how long its turn took; the turn itself goes on until it is given up. */
  private finishTurn(player: Player): void {
    if (this.current === null) return;
    awaitBackground();
    const now = performance.now();
    player.onTurn(now - this.current.start);
    this.current.start = now;
  }

  /** Gives the next turn once everybody still in the game is waiting. */
  private next(): void {
    if (this.current !== null || this.waiting.size < this.players.length) return;
    if (this.round.length === 0) {
      const first = this.rounds++ % Math.max(1, this.players.length);
      this.round = [...this.players.slice(first), ...this.players.slice(0, first)];
    }
    const player = this.round.shift();
    const start = player && this.waiting.get(player);
    if (player === undefined || start === undefined) return;
    this.waiting.delete(player);
    const leave = player.enter();
    this.current = { player, start: NaN, leave };
    // What the event loop has to do by now is everybody's, and not for the first who lets it turn.
    setImmediate(() => {
      this.current = { player, start: performance.now(), leave };
      start();
    });
  }
}

class TurnCallback extends tf.Callback {
  constructor(
    private readonly stepsATurn: number,
    private readonly wait: () => Promise<void>,
    private readonly finish: () => void,
  ) {
    super();
  }

  override onBatchBegin(batch: number): Promise<void> {
    return batch % this.stepsATurn === 0 ? this.wait() : Promise.resolve();
  }

  override onEpochEnd(): Promise<void> {
    this.finish();
    return Promise.resolve();
  }
}
