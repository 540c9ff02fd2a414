/** The most bytes in tensors while something runs on the TensorFlow backend. */
import tf = require('@tensorflow/tfjs');

/** Looks at how many bytes are in tensors after each operation of the TensorFlow backend. */
export class PeakWatch {
  /** The most bytes seen beside those at the start. */
  peak = 0;
  private readonly backend = tf.backend() as unknown as Executor;

  start(): void {
    const base = tf.memory().numBytes;
    for (const name of ['executeSingleOutput', 'executeMultipleOutputs'] as const) {
      const execute = this.backend[name];
      if (execute === undefined) throw new Error('only the `tensorflow` backend can be watched');
      this.backend[name] = (...operation) => {
        const outputs = execute.apply(this.backend, operation);
        this.peak = Math.max(this.peak, tf.memory().numBytes - base);
        return outputs;
      };
    }
  }

  stop(): void {
    // What `start` put on the instance hides the class's own.
    delete this.backend.executeSingleOutput;
    delete this.backend.executeMultipleOutputs;
  }
}

type Execute = (...operation: unknown[]) => unknown;
interface Executor {
  executeSingleOutput?: Execute;
  executeMultipleOutputs?: Execute;
}
