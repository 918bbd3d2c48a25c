import { Writer } from '../tests/support/crowd';
import { connected, enter, unique } from '../tests/support/people';
import { expect, test } from '../tests/support/test';

const RUNS = 20;
const LIMIT = 50;

/** Milliseconds from the click to the frame that shows the other room. */
const switchTo = (name: string) =>
  new Promise<number>((resolve) => {
    const link = [...document.querySelectorAll<HTMLElement>('.rooms a')].find((it) => it.textContent?.includes(name))!;
    const start = performance.now();
    link.click();
    const look = () => {
      const shown = document.querySelector('h1')?.textContent === name;
      const rows = document.querySelectorAll('.log .m .text');
      if (!shown || !rows[rows.length - 1]?.textContent?.startsWith(name)) {
        requestAnimationFrame(look);
        return;
      }
      // A message to oneself arrives after the frame that this callback belongs to was painted.
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => resolve(performance.now() - start);
      port2.postMessage(0);
    };
    requestAnimationFrame(look);
  });

test('switch', async ({ page, browser, server }) => {
  const [first, second] = [unique('first'), unique('second')];
  for (const room of [first, second]) {
    const writer = await Writer.in(browser, server.url, unique('Megan'), room);
    await writer.write(Array.from({ length: 200 }, (_, i) => `${room}: message ${i + 1} ${'of some length '.repeat(i % 7)}`));
    await writer.leave();
  }
  await enter(page, server.url, unique('지우'), first);
  await page.goto(`${server.url}/r/${encodeURIComponent(second)}`);
  await connected(page);
  // Both were visited once.
  for (const room of [first, second]) await page.evaluate(switchTo, room);
  const times: number[] = [];
  for (let run = 0; run < RUNS; run++) times.push(await page.evaluate(switchTo, run % 2 ? second : first));
  times.sort((a, b) => a - b);
  const median = (times[RUNS / 2 - 1]! + times[RUNS / 2]!) / 2;
  console.log(`switching to a room visited before: median ${median.toFixed(1)} ms (${times.map((ms) => ms.toFixed(0)).join(', ')})`);
  expect(median).toBeLessThanOrEqual(LIMIT);
});
