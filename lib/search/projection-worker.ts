/** A thread that projects a store's rows. */
import { parentPort } from 'node:worker_threads';
import { GradientStoreReader } from '../store/reader';
import { projectRows } from './project-rows';
import type { ProjectedRecord, ProjectionSettings } from './projected-format';
import { answerRequests } from './thread-side';

export interface ProjectionRequest {
  readonly directory: string;
  readonly settings: ProjectionSettings;
}

export type ProjectionResult = Omit<ProjectedRecord, 'deviations'>;

if (parentPort) {
  answerRequests(parentPort, ({ directory, settings }: ProjectionRequest, report): ProjectionResult => {
    const store = GradientStoreReader.open(directory);
    try {
      return projectRows(store, settings, report);
    } finally {
      store.close();
    }
  });
}
