import { examplesOf, runExamples } from './support/run-examples';

it('runs the example of a layer’s adapter in CONTRIBUTING.md, which is right', async () => {
  const printed = await runExamples(examplesOf('CONTRIBUTING.md'));
  expect(printed.map(([path]) => String(path).replace(/^.*\./, ''))).toEqual(['down', 'up']);
  expect(printed.map(([, ...right]) => right)).toEqual([
    [true, true],
    [true, true],
  ]);
});
