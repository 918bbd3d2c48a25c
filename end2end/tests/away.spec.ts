import type { Page } from '@playwright/test';
import { committed, connected, enter, say, tell, unique } from './support/people';
import { Proxy } from './support/proxy';
import { test as base, expect } from './support/test';

/** A browser whose WebSockets can be made to fail. */
const test = base.extend<{ net: Proxy }>({
  net: async ({ server }, use) => {
    const proxy = await Proxy.before(server);
    await use(proxy);
    await proxy.close();
  },
});

/** As when another tab comes before this one, or this one comes back. */
async function turn(page: Page, visible: boolean): Promise<void> {
  await page.evaluate((visible) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => !visible });
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => (visible ? 'visible' : 'hidden') });
    document.dispatchEvent(new Event('visibilitychange'));
  }, visible);
}

test('a tab that was hidden for an hour, in which the network went, has everything at once and has read nothing', async ({ page, browser, net, server }) => {
  const room = unique('an hour');
  await page.clock.install();
  await enter(page, net.url, unique('지우'), room);
  const other = await (await browser.newContext()).newPage();
  await enter(other, server.url, unique('Megan'), room);
  await tell(page, 'before');
  await turn(page, false);
  await tell(other, 'still connected');
  await expect(page).toHaveTitle(/^\(1\) /);
  net.cut();
  await tell(other, 'cut off');
  await page.clock.fastForward('01:00:00');
  await expect(page).toHaveTitle(/^\(1\) /);
  net.restore();
  await turn(page, true);
  await connected(page);
  await expect.poll(() => committed(page)).toEqual(['before', 'still connected', 'cut off']);
  await expect(page.locator('.banner')).toHaveCount(0);
  await expect(page).not.toHaveTitle(/^\(/);
  await say(page, 'here again');
  await expect.poll(() => committed(other)).toEqual(['before', 'still connected', 'cut off', 'here again']);
  await other.context().close();
});

test('an interruption of less than two seconds is not worth a word', async ({ page, net }) => {
  await enter(page, net.url, unique('지우'), unique('hiccup'));
  await page.evaluate(() => {
    const seen: number[] = [];
    Object.assign(window, { seen });
    const look = () => document.querySelector('.banner') && seen.push(performance.now());
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
  });
  const seen = () => page.evaluate(() => (window as unknown as { seen: number[] }).seen);
  net.cut();
  await expect(page.locator('.me .state.on')).toHaveCount(0);
  net.restore();
  await connected(page);
  expect(await seen()).toEqual([]);
  // A longer one is.
  const began = await page.evaluate(() => performance.now());
  net.cut();
  await expect(page.locator('.banner')).toContainText(/Trying again (now|in 1 second|in \d+ seconds)\./);
  expect((await seen())[0]! - began).toBeGreaterThan(1_900);
});

/** What a browser says when there is reason to look again. */
const reasons: Record<string, (page: Page) => Promise<void>> = {
  'the network comes back': (page) => page.evaluate(() => void dispatchEvent(new Event('online'))),
  'the tab becomes visible': (page) => turn(page, true),
  'somebody asks for it': (page) => page.getByRole('button', { name: 'Connect now' }).click(),
  'the page is shown again': (page) => page.evaluate(() => void dispatchEvent(new PageTransitionEvent('pageshow'))),
};

for (const [why, happens] of Object.entries(reasons)) {
  test(`a page connects at once, whatever its turn, when ${why}`, async ({ page, net }) => {
    await page.clock.install();
    let welcomed = 0;
    page.on('websocket', (socket) => {
      socket.on('framereceived', ({ payload }) => {
        if (JSON.parse(String(payload)).t === 'hello') welcomed++;
      });
    });
    await enter(page, net.url, unique('지우'), unique('reasons'));
    net.cut();
    const turnIn = async () => Number(/in (\d+) seconds/.exec(await page.locator('.banner').innerText())?.[1] ?? 0);
    // By itself it tries again later than this test looks.
    await expect(async () => {
      await page.clock.fastForward(16_000);
      const left = await turnIn();
      expect(left).toBeGreaterThan(7);
      // It counts: nothing is under way.
      await expect.poll(turnIn, { timeout: 2_000 }).toBe(left - 1);
    }).toPass({ intervals: [100] });
    net.restore();
    await happens(page);
    await expect.poll(() => welcomed).toBe(2);
    await connected(page);
  });
}

test('what comes while nobody touches the page is unread, and told of, until somebody does', async ({ browser, server }) => {
  const room = unique('asleep');
  const context = await browser.newContext({ permissions: ['notifications'], serviceWorkers: 'block' });
  const page = await context.newPage();
  await page.clock.install();
  await page.addInitScript(() => {
    localStorage.setItem('hubbub.set.notify', 'on');
    const told: string[] = [];
    class Notice extends EventTarget {
      static permission = 'granted';
      constructor(title: string, options: NotificationOptions) {
        super();
        told.push(`${title}: ${options.body}`);
      }
      close() {}
    }
    Object.assign(window, { told, Notification: Notice });
  });
  const told = () => page.evaluate(() => (window as unknown as { told: string[] }).told);
  await enter(page, server.url, unique('지우'), room);
  const other = await (await browser.newContext()).newPage();
  await enter(other, server.url, unique('Megan'), room);

  // Somebody who reads touches nothing for a while: what comes is read.
  await page.mouse.move(300, 300);
  await page.clock.fastForward('02:00');
  await tell(other, 'are you there?');
  await expect(page.getByText('are you there?', { exact: true })).toBeInViewport({ ratio: 1 });
  await page.clock.runFor(5_000);
  await expect(page).not.toHaveTitle(/^\(/);
  expect(await told()).toEqual([]);

  // The screen is locked, which the browser does not notice: focus and view stay as they are.
  await page.clock.fastForward('05:00');
  await connected(page);
  await tell(other, 'good night');
  await expect(page).toHaveTitle(/^\(1\) /);
  await expect(page.getByText('good night', { exact: true })).toBeInViewport({ ratio: 1 });
  expect(await page.evaluate(() => document.hasFocus() && !document.hidden)).toBe(true);
  await page.clock.runFor(10_000);
  await expect(page).toHaveTitle(/^\(1\) /);
  expect(await told()).toEqual([`${room}: 1 unread`]);
  // Nor is it read on any other device.
  const second = await context.newPage();
  await second.addInitScript(() => (document.hasFocus = () => false));
  await second.goto(`${server.url}/rooms`);
  await second.goto(page.url());
  await connected(second);
  await expect(second).toHaveTitle(/^\(1\) /);
  await second.close();

  // And is once somebody comes back, whatever they touch first.
  await page.mouse.move(310, 310);
  await page.clock.runFor(5_000);
  await expect(page).not.toHaveTitle(/^\(/);
  await other.context().close();
  await context.close();
});

test('what comes while the window has no focus is unread until it has', async ({ page, browser, server }) => {
  const room = unique('beside');
  await page.clock.install();
  await enter(page, server.url, unique('지우'), room);
  const look = (focus: boolean) =>
    page.evaluate((focus) => {
      document.hasFocus = () => focus;
      dispatchEvent(new Event(focus ? 'focus' : 'blur'));
    }, focus);
  await look(false);
  const other = await (await browser.newContext()).newPage();
  await enter(other, server.url, unique('Megan'), room);
  await tell(other, 'anybody?');
  await expect(page).toHaveTitle(/^\(1\) /);
  // It is on the screen all the while.
  await expect(page.getByText('anybody?', { exact: true })).toBeInViewport({ ratio: 1 });
  await page.clock.runFor(5_000);
  await expect(page).toHaveTitle(/^\(1\) /);
  await look(true);
  await page.clock.runFor(5_000);
  await expect(page).not.toHaveTitle(/^\(/);
  await other.context().close();
});
