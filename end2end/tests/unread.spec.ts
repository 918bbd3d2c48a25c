import { Writer } from './support/crowd';
import { alsoEnter, connected, enter, field, say, unique } from './support/people';
import { expect, test } from './support/test';

test('what is in view for a while is read, what is below is not, and every tab agrees', async ({ browser, context, page, server }) => {
  const [room, home] = [unique('busy'), unique('home')];
  await enter(page, server.url, unique('지우'), home);
  const homeUrl = page.url();
  await alsoEnter(page, server.url, room);
  const roomUrl = page.url();
  await page.goto(homeUrl);
  await connected(page);

  const other = await (await browser.newContext()).newPage();
  await enter(other, server.url, unique('Megan'), room);
  for (let n = 1; n <= 60; n++) {
    const form = { text: `news ${n}`, p: n.toString(16).padStart(16, '0'), n: '1' };
    await other.request.post(other.url(), { form, maxRedirects: 0 });
  }
  const count = page.locator('.rooms').getByRole('link', { name: room }).locator('.n');
  await expect(count).toContainText('60 unread');
  await expect(page).toHaveTitle(/^\(60\) /);

  // Another tab goes there: the divider stands above the first new message, and reading it tells this tab.
  const tab = await context.newPage();
  await tab.goto(roomUrl);
  await connected(tab);
  await expect(count).toHaveCount(0, { timeout: 10_000 });
  await expect(page).not.toHaveTitle(/^\(/);
  await tab.locator('.log').evaluate((log) => log.scrollTo(0, -log.scrollHeight));
  await expect.poll(() => tab.locator('.new').count()).toBe(1);
  const after = await tab.locator('.new').evaluate((row) => {
    let next = row.nextElementSibling;
    while (next !== null && !next.matches('[data-seq]')) next = next.nextElementSibling;
    return next?.querySelector('.text')?.textContent;
  });
  expect(after).toBe('news 1');

  // Scrolled up, what arrives is unread, and the button counts it.
  await say(other, 'below the view');
  await expect(tab.getByRole('button', { name: '1 new message' })).toBeVisible();
  await expect(count).toContainText('1 unread');
  await tab.getByRole('button', { name: '1 new message' }).click();
  await expect(count).toHaveCount(0);
  await other.context().close();
});

test('who is typing is shown without moving anything, and ends with the message', async ({ browser, page, server }) => {
  const room = unique('typing');
  await enter(page, server.url, unique('지우'), room);
  const other = await (await browser.newContext()).newPage();
  const megan = unique('Megan');
  await enter(other, server.url, megan, room);
  const before = await field(page).boundingBox();
  await field(other).pressSequentially('I am wri');
  await expect(page.locator('.typing')).toContainText(`${megan}\u2069 is typing`);
  expect(await field(page).boundingBox()).toEqual(before);
  await expect(other.locator('.typing')).toBeEmpty();
  await field(other).press('Enter');
  await expect(page.locator('.log')).toContainText('I am wri');
  await expect(page.locator('.typing')).toBeEmpty();
  await other.context().close();
});

test('notifications come after a click that asks, for what nobody looks at, and not from muted rooms', async ({ browser, context, page, server }) => {
  await context.grantPermissions(['notifications']);
  await page.addInitScript(() => {
    const shown: string[] = [];
    Object.assign(window, { shown });
    class Fake extends EventTarget {
      static permission = 'default';
      static requestPermission(): Promise<string> {
        Fake.permission = 'granted';
        return Promise.resolve('granted');
      }
      constructor(title: string, options: { body: string }) {
        super();
        shown.push(`${title}: ${options.body}`);
        Object.assign(window, { last: this });
      }
      close(): void {}
    }
    Object.assign(window, { Notification: Fake });
  });
  const [busy, quiet, home] = [unique('busy'), unique('quiet'), unique('home')];
  await enter(page, server.url, unique('지우'), busy);
  for (const room of [quiet, home]) {
    await alsoEnter(page, server.url, room);
  }
  const shown = () => page.evaluate(() => (window as unknown as { shown: string[] }).shown);
  await page.locator('.rooms').getByRole('link', { name: quiet }).click();
  await expect(page.getByRole('heading', { name: quiet })).toBeVisible();
  await page.getByRole('button', { name: 'Room menu' }).click();
  await page.getByRole('switch', { name: 'Notifications from this room' }).uncheck();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByLabel('Notify me of new messages').check();
  await page.keyboard.press('Escape');
  await page.locator('.rooms').getByRole('link', { name: home }).click();

  const other = await (await browser.newContext()).newPage();
  await enter(other, server.url, unique('Megan'), quiet);
  await say(other, 'psst');
  await expect(page.locator('.rooms').getByRole('link', { name: quiet }).locator('.n')).toContainText('1 unread');
  const third = await (await browser.newContext()).newPage();
  await enter(third, server.url, unique('Ann'), busy);
  await say(third, 'hello?');
  await expect.poll(shown).toEqual([`${busy}: 1 unread`]);
  await page.evaluate(() => (window as unknown as { last: EventTarget }).last.dispatchEvent(new Event('click')));
  await expect(page.getByRole('heading', { name: busy })).toBeVisible();
  await other.context().close();
  await third.context().close();
});

test('where only a service worker may notify, as on Android, it does', async ({ browser, context, page, server }) => {
  await context.grantPermissions(['notifications']);
  await page.addInitScript(() => {
    class Refusing {
      static permission = 'granted';
      static requestPermission = () => Promise.resolve('granted');
      constructor() {
        throw new TypeError('Illegal constructor. Use ServiceWorkerRegistration.showNotification() instead.');
      }
    }
    Object.assign(window, { Notification: Refusing });
  });
  const [busy, home] = [unique('busy'), unique('home')];
  await enter(page, server.url, unique('지우'), busy);
  await alsoEnter(page, server.url, home);
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByLabel('Notify me of new messages').check();
  await page.keyboard.press('Escape');
  const other = await (await browser.newContext()).newPage();
  await enter(other, server.url, unique('Megan'), busy);
  await say(other, 'psst');
  const shown = () =>
    page.evaluate(async () => {
      const notices = await (await navigator.serviceWorker.ready).getNotifications();
      return notices.map(({ title, body, data }) => `${title}: ${body}, ${data}`);
    });
  await expect.poll(shown).toEqual([`${busy}: 1 unread, /r/${encodeURIComponent(busy)}`]);
  await other.context().close();
});

test('more than ninety-nine unread are told as such', async ({ browser, page, server }) => {
  const [busy, home] = [unique('busy'), unique('home')];
  await enter(page, server.url, unique('지우'), busy);
  await alsoEnter(page, server.url, home);
  const writer = await Writer.in(browser, server.url, unique('Megan'), busy);
  const count = page.locator('.rooms').getByRole('link', { name: busy }).locator('.n > [aria-hidden]');
  await writer.write(Array.from({ length: 99 }, (_, i) => `news ${i + 1}`));
  await expect(count).toHaveText('99');
  await writer.write(['one more', 'and another']);
  for (const how of ['as they came', 'as the server counts']) {
    await expect(count, how).toHaveText('99+');
    await expect(page, how).toHaveTitle(`(99+) ${home} · Hubbub`);
    await expect(page.locator('.rooms').getByRole('link', { name: busy })).toHaveAccessibleName(/99\+ unread/);
    await expect(page.locator('.drawer')).toHaveAttribute('aria-label', 'Rooms and people, 99+ unread');
    await page.reload();
  }
  await writer.leave();
});
