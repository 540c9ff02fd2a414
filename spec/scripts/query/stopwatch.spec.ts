import { describeTook, Stopwatch } from '../../../scripts/query/stopwatch';

it('adds up what each kind of work takes, and starts anew with each lap', async () => {
  let now = 1000;
  const clock = jest.spyOn(performance, 'now').mockImplementation(() => now);
  const stopwatch = new Stopwatch();
  const work = (time: number) => async () => {
    await Promise.resolve();
    now += time;
    return time;
  };
  expect(await stopwatch.measure('search', work(5))).toBe(5);
  await stopwatch.measure('gradients', work(30));
  await stopwatch.measure('gradients', work(40));
  const failed = stopwatch.measure('load', async () => {
    await work(15)();
    throw new Error('no');
  });
  await expect(failed).rejects.toThrow('no');
  expect(stopwatch.lap()).toEqual({ load: 15, gradients: 70, search: 5 });
  expect(stopwatch.lap()).toEqual({ load: 0, gradients: 0, search: 0 });
  clock.mockRestore();
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
