/** Every error the library throws on purpose. */
export { BergsonError } from './bergson-error';
export * from './backend';
export * from './capture';
export * from './datasets';
export * from './models';
export * from './influence';
export * from './preconditioner';
export * from './normalizer';
export * from './export';
export * from './run';
export * from './scores';
export * from './search';
export * from './store';
