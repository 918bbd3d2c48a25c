import type { Page } from '@playwright/test';
import { Writer } from './support/crowd';
import { committed, connected, enter, tell, unique } from './support/people';
import { Proxy } from './support/proxy';
import { expect, test } from './support/test';

/** Takes note of all that any region of the page which is not silent is given to say, from now on. */
async function listen(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(() => {
    const said: string[] = [];
    Object.assign(window, { said });
    /** What a screen reader goes by: the nearest element that says how it is live. */
    const loud = (node: Node | null): boolean => {
      for (let element = node instanceof Element ? node : node?.parentElement; element; element = element.parentElement) {
        const live = element.getAttribute('aria-live');
        if (live) return live !== 'off';
        const role = element.getAttribute('role') ?? '';
        if (['log', 'status', 'alert'].includes(role) || element.tagName === 'OUTPUT') return true;
        if (['timer', 'marquee'].includes(role)) return false;
      }
      return false;
    };
    new MutationObserver((changes) => {
      for (const { type, target, addedNodes } of changes) {
        if (type === 'characterData' && loud(target)) said.push(target.textContent ?? '');
        for (const node of addedNodes) if (loud(node)) said.push(node.textContent ?? '');
      }
    }).observe(document.body, { childList: true, characterData: true, subtree: true });
  });
  // Names stand between characters that isolate their direction.
  return () =>
    page.evaluate(() =>
      (window as unknown as { said: string[] }).said.map((it) => it.replace(/[\u2066-\u2069]/g, '').trim()).filter(Boolean),
    );
}

test('what others write is announced once, and nothing else is', async ({ page, browser, server }) => {
  const [room, megan] = [unique('voices'), unique('Megan')];
  const writer = await Writer.in(browser, server.url, megan, room);
  await writer.write(Array.from({ length: 120 }, (_, i) => `old ${i + 1}`));
  await enter(page, server.url, unique('지우'), room);
  const said = await listen(page);

  for (const n of [1, 2, 3]) {
    await writer.write([`news ${n}`]);
    await expect.poll(said).toContain(`${megan}: news ${n}`);
  }
  // One's own message, first faint, then acknowledged; older messages; another look at the same ones.
  await tell(page, 'mine');
  await page.locator('.log').evaluate((log) => log.scrollTo(0, -log.scrollHeight));
  await expect.poll(async () => (await committed(page)).length).toBeGreaterThan(100);
  await page.locator('.log').evaluate((log) => log.scrollTo(0, 0));
  await writer.write(['the last one']);
  await expect.poll(said).toContain(`${megan}: the last one`);
  expect(await said()).toEqual([...[1, 2, 3].map((n) => `${megan}: news ${n}`), `${megan}: the last one`]);
  await writer.leave();
});

test('many at once become a number, and none is told twice', async ({ page, browser, server }) => {
  const [room, megan] = [unique('burst'), unique('Megan')];
  const writer = await Writer.in(browser, server.url, megan, room);
  await enter(page, server.url, unique('지우'), room);
  const said = await listen(page);
  const burst = Array.from({ length: 200 }, (_, i) => `burst ${i + 1}`);
  await writer.write(burst);
  /** How many messages were told, one by one or as a number. */
  const told = async () =>
    (await said()).reduce((sum, it) => sum + Number(/^(\d+) new messages?$/.exec(it)?.[1] ?? 1), 0);
  await expect.poll(told, { timeout: 10_000 }).toBe(burst.length);
  expect((await said()).length).toBeLessThan(20);
  // After a quiet second they are told one by one again.
  await expect
    .poll(async () => {
      await writer.write(['quiet']);
      return (await said()).filter((it) => it === `${megan}: quiet`).length;
    }, { intervals: [1_500] })
    .toBeGreaterThan(0);
  await writer.leave();
});

test('a reconnect repeats nothing and tells what was missed once', async ({ page, browser, server }) => {
  const [room, megan] = [unique('again'), unique('Megan')];
  const proxy = await Proxy.before(server);
  try {
    const writer = await Writer.in(browser, server.url, megan, room);
    await enter(page, proxy.url, unique('지우'), room);
    const said = await listen(page);
    await writer.write(['before']);
    await expect.poll(said).toContain(`${megan}: before`);
    proxy.cut();
    await expect(page.locator('.banner')).toBeVisible({ timeout: 10_000 });
    await writer.write(['meanwhile']);
    proxy.restore();
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await connected(page);
    await writer.write(['after']);
    await expect.poll(said).toContain(`${megan}: after`);
    expect((await said()).filter((it) => it.startsWith(megan))).toEqual(['before', 'meanwhile', 'after'].map((it) => `${megan}: ${it}`));
    await writer.leave();
  } finally {
    await proxy.close();
  }
});
