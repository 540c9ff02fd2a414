/** `bergson train`: a language model trained on a data set, with the gradient of every example, from the command line. */
import type { CommandModule } from 'yargs';
import { loadBackend } from '../../lib/backend';
import { applyHostFixes } from '../../lib/host-fixes';
import { startProgress } from '../terminal/progress-bar';
import { toOptions, withTrainOptions, type TrainArguments } from '../train/arguments';
import { describeTrained, toOutcome } from '../train/report';
import { trainLanguageModel } from '../train/train-language-model';

const INTERRUPTED = 130;

export const trainCommand: CommandModule<object, TrainArguments> = {
  command: 'train <run>',
  describe: 'Train a language model, and keep the gradient of every example',
  builder: (yargs) =>
    withTrainOptions(yargs)
      .example('$0 train runs/facts --config gpt/config.json --dataset facts.jsonl', 'From random weights')
      .example(
        '$0 train runs/more --model runs/facts/model --dataset more.jsonl --epochs 1',
        'Go on from there',
      ),
  handler: async (args) => {
    const options = toOptions(args);
    await loadBackend();
    applyHostFixes();
    // On a terminal a bar says as much.
    const tell = process.stderr.isTTY ? undefined : console.error;
    const trained = await trainLanguageModel(options, startProgress, tell);
    console.log(args.json ? JSON.stringify(toOutcome(trained), undefined, 2) : describeTrained(trained));
    if (trained.stepsDone < trained.steps) process.exitCode = INTERRUPTED;
  },
};
