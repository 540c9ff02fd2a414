/** How long each variant trains, in steps, of which there are whole turns. */
export interface Schedule {
  readonly stepsATurn: number;
  /** Before timing starts: first calls allocate and draw projections, and V8 compiles what runs some thousand times. */
  readonly warmUp: number;
  /** Timed. */
  readonly steps: number;
}
