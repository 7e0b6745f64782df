// The test at the end of a training (`test_after_fit`): the best weights on the test split. What fails here can be done again with
// `foehn test`, so the training does not fail with it.

import { isFoehnError } from "../core/errors.js";
import type { Progress } from "../core/progress.js";
import type { CheckpointName } from "./checkpoints.js";
import type { Learner } from "./learner.js";
import { type TestResult, testNetwork } from "./test-pass.js";
import type { TrainingInput } from "./training.js";

/** Whose weights the learner has, and how much they have seen. */
export interface TestedWeights {
  readonly checkpoint: CheckpointName;
  readonly epoch: number;
  readonly step: number;
}

/** Tests a learner; null, with a warning, when there are no samples or the test fails. @throws InterruptedError */
export async function testAfterFit(
  input: TrainingInput,
  learner: Learner,
  weights: TestedWeights,
  progress: Progress,
): Promise<TestResult | null> {
  const { runDir, options, splits, precision, device, signal, callbacks } = input;
  const dataset = splits.test;
  const warn = (line: string) => progress.note(`warning: ${line}`);
  if (dataset.length === 0) {
    warn("the test split has no samples: the network was not tested");
    return null;
  }
  const limit = options.limit_val_batches ?? options.limit_train_batches;
  const all = Math.ceil(dataset.length / options.batch_size);
  progress.start("test", Math.min(all, limit ?? all));
  try {
    const result = await testNetwork({
      ...weights,
      runDir,
      dataset,
      info: splits.info,
      context: learner.context,
      loss: learner.loss,
      climatology: splits.climatology,
      precision,
      device,
      batchSize: options.batch_size,
      limit,
      observe: { observers: input.testObservers ?? [], callbacks, warn, signal },
      signal,
      onBatch: (done) => progress.update(done),
      ensemble: learner.ensemble.noise > 0 ? learner.ensemble : undefined,
      now: Math.floor(Date.now() / 1000),
    });
    progress.finish(`test loss ${result.scores.loss.toPrecision(4)} · ${result.path}`);
    return result;
  } catch (error) {
    if (!isFoehnError(error) || error.code === "interrupted") throw error;
    warn(`the test failed: ${error.message}; foehn test ${runDir} does it again`);
    return null;
  }
}
