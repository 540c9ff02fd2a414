/** Waits until `condition` holds, or for five seconds; whoever calls it expects what it waited for. */
export async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 5000;
  while (!condition() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 1));
}
