/** The package's entry: the callback and everything in `lib`. */
export * from '../lib';
export { GradientCollectorCallback } from './gradient-collector-callback';
export { prepareForGradientCollection, undoGradientCollection } from './prepare';
