import { describeTook, Stopwatch } from '../../../scripts/query/stopwatch';

it('adds up what each kind of work takes, and starts anew with each lap', async () => {
  const stopwatch = new Stopwatch();
  const wait = (time: number) => () =>
    new Promise<number>((resolve) =>
      setTimeout(() => {
        resolve(time);
      }, time),
    );
  expect(await stopwatch.measure('search', wait(5))).toBe(5);
  await stopwatch.measure('gradients', wait(30));
  await stopwatch.measure('gradients', wait(30));
  const failed = stopwatch.measure('load', async () => {
    await wait(5)();
    throw new Error('no');
  });
  await expect(failed).rejects.toThrow('no');
  const { load, gradients, search } = stopwatch.lap();
  expect(gradients).toBeGreaterThan(55);
  for (const time of [load, search]) expect(time).toBeGreaterThan(3);
  expect(search).toBeLessThan(gradients);
  expect(stopwatch.lap()).toEqual({ load: 0, gradients: 0, search: 0 });
});

it('says how long an answer took, and for what', () => {
  expect(describeTook({ load: 0, gradients: 12.34, search: 4.56 })).toBe(
    'Answered in 17 ms: 12 ms for gradients, 4.6 ms for the search.',
  );
  expect(describeTook({ load: 1234, gradients: 40, search: 3 })).toBe(
    'Answered in 43 ms, after 1.2 s of loading the model: 40 ms for gradients, 3.0 ms for the search.',
  );
  expect(describeTook({ load: 0, gradients: 0, search: 3 })).toBe(
    'Answered in 3.0 ms: 3.0 ms for the search.',
  );
});
