import type { Page } from '@playwright/test';
import { alsoEnter, committed, connected, enter, field, leave, say, signIn, tell, texts, unique } from './support/people';
import { Writer } from './support/crowd';
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

const pending = (page: Page) => page.locator('.pending');

/** What this browser keeps of outboxes with unsent or lately sent messages. */
function stored(page: Page): Promise<string[]> {
  return page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('hubbub.outbox.')));
}

function tabName(page: Page): Promise<string | null> {
  return page.evaluate(() => sessionStorage.getItem('hubbub.tab'));
}

/** All of it in this order and nothing else: here, at somebody else's, and on a fresh page. */
async function settled(page: Page, expected: readonly string[]): Promise<void> {
  await expect.poll(() => committed(page), { timeout: 20_000 }).toEqual(expected);
  await expect(pending(page)).toHaveCount(0);
  expect(await texts(page)).toEqual(expected);
  await page.reload();
  await connected(page);
  await expect(pending(page)).toHaveCount(0);
  expect(await texts(page)).toEqual(expected);
}

test('what was unsent at a reload goes out once, before what is written after it', async ({ page, net }) => {
  await enter(page, net.url, unique('지우'), unique('tunnel'));
  await tell(page, 'before');
  await expect(pending(page)).toHaveCount(0);
  net.cut();
  await say(page, 'one');
  await say(page, 'two');
  await expect(pending(page)).toHaveCount(2);
  await page.reload();
  await expect(pending(page)).toHaveText([/one/, /two/]);
  await say(page, 'three');
  await page.reload();
  await expect(pending(page)).toHaveText([/one/, /two/, /three/]);
  net.restore();
  await settled(page, ['before', 'one', 'two', 'three']);
});

test('what is unsent in two rooms stays with its room', async ({ page, net }) => {
  const rooms = [unique('left'), unique('right')] as const;
  await enter(page, net.url, unique('지우'), rooms[0]);
  await alsoEnter(page, net.url, rooms[1]);
  const go = (room: string) => page.locator('.rooms').getByRole('link', { name: room }).click();
  net.cut();
  for (const room of rooms) {
    await go(room);
    await say(page, `for ${room}`);
    await expect(pending(page).locator('.text')).toHaveText([`for ${room}`]);
  }
  for (const room of [...rooms, ...rooms]) {
    await go(room);
    await expect(page.getByRole('heading', { name: room })).toBeVisible();
    await expect(pending(page).locator('.text')).toHaveText([`for ${room}`]);
  }
  net.restore();
  await page.evaluate(() => dispatchEvent(new Event('online')));
  for (const room of rooms) {
    await go(room);
    await expect.poll(() => committed(page), { timeout: 20_000 }).toEqual([`for ${room}`]);
  }
});

test('a message whose acknowledgement was lost with the page is there once', async ({ page, browser, net, server }) => {
  const room = unique('acks');
  await enter(page, net.url, unique('지우'), room);
  const witness = await (await browser.newContext()).newPage();
  await enter(witness, server.url, unique('Megan'), room);
  net.mute();
  await say(page, 'one');
  await expect.poll(() => committed(witness)).toEqual(['one']);
  await expect(pending(page)).toHaveCount(1);
  await page.reload();
  await connected(page);
  await say(page, 'two');
  await settled(page, ['one', 'two']);
  expect(await committed(witness)).toEqual(['one', 'two']);
  await witness.context().close();
});

test('a reload in the middle of a burst loses, doubles and reorders nothing', async ({ page, browser, net, server }) => {
  test.setTimeout(60_000);
  const room = unique('burst');
  await enter(page, net.url, unique('지우'), room);
  const witness = await (await browser.newContext()).newPage();
  await enter(witness, server.url, unique('Megan'), room);
  const burst = Array.from({ length: 30 }, (_, i) => `message ${i + 1}`);
  for (const [i, text] of burst.entries()) {
    // The last of the first ten are under way, the next ten are committed unbeknown, the others are not sent.
    if (i === 10) net.mute();
    if (i === 20) net.cut();
    await say(page, text);
  }
  await page.reload();
  net.restore();
  await settled(page, burst);
  expect(await committed(witness)).toEqual(burst);
  await witness.context().close();
});

test('a reload right after a burst loses, doubles and reorders nothing', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('burst'));
  const burst = Array.from({ length: 30 }, (_, i) => `message ${i + 1}`);
  for (const text of burst) await say(page, text);
  await page.reload();
  await settled(page, burst);
});

test('what a closed tab left unsent goes out from another one', async ({ page, net }) => {
  await enter(page, net.url, unique('지우'), unique('tabs'));
  const other = await page.context().newPage();
  await other.goto(page.url());
  await connected(other);
  net.cut();
  await say(page, 'from the closed tab');
  await expect(pending(page)).toHaveCount(1);
  await page.close();
  await say(other, 'from the other tab');
  await expect(pending(other)).toHaveText([/from the closed tab/, /from the other tab/], { timeout: 15_000 });
  net.restore();
  await settled(other, ['from the closed tab', 'from the other tab']);
});

test('what the last tab left unsent goes out when the room is opened again', async ({ page, net }) => {
  await enter(page, net.url, unique('지우'), unique('later'));
  net.cut();
  for (const text of ['one', 'two']) await say(page, text);
  await expect(pending(page)).toHaveCount(2);
  const url = page.url();
  const context = page.context();
  await page.close();
  net.restore();
  const again = await context.newPage();
  await again.goto(url);
  await settled(again, ['one', 'two']);
  expect(await stored(again), 'the closed tab has nothing there any more').toHaveLength(1);
});

test('a tab that is reloaded while another one waits keeps what it had', async ({ page, net }) => {
  await enter(page, net.url, unique('지우'), unique('reload'));
  const other = await page.context().newPage();
  await other.goto(page.url());
  await connected(other);
  net.cut();
  await say(page, 'one');
  await expect(pending(page)).toHaveCount(1);
  const name = await tabName(page);
  for (let i = 0; i < 3; i++) {
    await page.reload();
    await expect(pending(page)).toHaveText([/one/]);
  }
  expect(await tabName(page)).toBe(name);
  await expect(pending(other)).toHaveCount(0);
  net.restore();
  await settled(page, ['one']);
});

test('what was acknowledged and is further back than the page is not shown as if it were still to be sent', async ({ page, browser, server }) => {
  const room = unique('long ago');
  let asked = 0;
  // Nobody answers what became of them.
  await page.routeWebSocket('**/ws', (socket) => {
    const upstream = socket.connectToServer();
    socket.onMessage((frame) => {
      if (JSON.parse(String(frame)).t === 'void') asked++;
      else upstream.send(frame);
    });
  });
  await enter(page, server.url, unique('지우'), room);
  for (const text of ['one', 'two', 'three']) await tell(page, text);
  const writer = await Writer.in(browser, server.url, unique('Megan'), room);
  await writer.write(Array.from({ length: 80 }, (_, i) => `later ${i + 1}`));
  // Seen from another room, of which alone the page knows anything when it comes alive.
  await alsoEnter(page, server.url, unique('elsewhere'));
  await expect.poll(() => asked).toBeGreaterThan(0);
  await page.locator('.rooms').getByRole('link', { name: room }).click();
  await tell(page, 'now');
  await expect(pending(page)).toHaveCount(0);
  await page.reload();
  await connected(page);
  await tell(page, 'and now');
  await expect(pending(page)).toHaveCount(0);
  await writer.leave();
});

for (const locks of [true, false]) {
  test(`a copy of a tab is a tab of its own, ${locks ? 'with' : 'without'} Web Locks`, async ({ page, net }) => {
    if (!locks) {
      await page.context().addInitScript(() => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }));
    }
    await enter(page, net.url, unique('지우'), unique('copy'));
    net.cut();
    await say(page, 'in the first');
    await expect(pending(page)).toHaveCount(1);
    const opened = page.context().waitForEvent('page');
    await page.evaluate(() => void window.open(location.href));
    const copy = await opened;
    await say(copy, 'in the copy');
    await expect(pending(copy)).toHaveText([/in the copy/]);
    for (const tab of [page, copy]) await tab.reload();
    await expect(pending(page)).toHaveText([/in the first/]);
    await expect(pending(copy)).toHaveText([/in the copy/]);
    net.restore();
    for (const tab of [page, copy]) {
      await connected(tab);
      await expect(pending(tab)).toHaveCount(0, { timeout: 20_000 });
    }
    for (const tab of [page, copy]) {
      await expect.poll(async () => (await committed(tab)).sort()).toEqual(['in the copy', 'in the first']);
    }
  });
}

test('signing out erases what was unsent, and nobody else sends it', async ({ page, net }) => {
  const room = unique('shared');
  await enter(page, net.url, unique('지우'), room);
  const other = await page.context().newPage();
  await other.goto(page.url());
  await connected(other);
  net.cut();
  await say(page, 'secret');
  await say(other, 'secret too');
  for (const tab of [page, other]) await expect(pending(tab)).toHaveCount(1);
  expect(await stored(page)).toHaveLength(2);
  page.once('dialog', (dialog) => void dialog.accept());
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByLabel('Name')).toBeVisible();
  await expect.poll(() => stored(page)).toEqual([]);
  net.restore();
  await enter(page, net.url, unique('Megan'), room);
  await expect(other.locator('.banner')).toContainText('signed out', { timeout: 20_000 });
  await say(page, 'mine');
  await settled(page, ['mine']);
  expect((await stored(page)).length).toBeLessThanOrEqual(1);
});

for (const [how, breakStorage] of [
  [
    'is full',
    () => {
      Storage.prototype.setItem = () => {
        throw new DOMException('full', 'QuotaExceededError');
      };
    },
  ],
  [
    'is disabled',
    () => {
      for (const name of ['localStorage', 'sessionStorage']) {
        Object.defineProperty(window, name, {
          get() {
            throw new DOMException('disabled', 'SecurityError');
          },
        });
      }
    },
  ],
] as const) {
  test(`when storage ${how} everything goes on, and leaving with unsent messages is asked about`, async ({ page, net }) => {
    await page.addInitScript(breakStorage);
    const failures: string[] = [];
    page.on('pageerror', (error) => failures.push(error.message));
    await enter(page, net.url, unique('지우'), unique('full'));
    await say(page, 'one');
    await expect.poll(() => committed(page)).toEqual(['one']);
    net.cut();
    await say(page, 'two');
    await expect(pending(page)).toHaveCount(1);
    const asked = page.waitForEvent('dialog');
    const reloading = page.reload({ timeout: 2_000 }).catch(() => undefined);
    const dialog = await asked;
    expect(dialog.type()).toBe('beforeunload');
    await dialog.dismiss();
    await reloading;
    net.restore();
    await expect.poll(() => committed(page), { timeout: 20_000 }).toEqual(['one', 'two']);
    expect(failures).toEqual([]);
  });
}

test('a room that was left is followed again for what is unsent', async ({ page, net }) => {
  const [first, second] = [unique('first'), unique('second')];
  await signIn(page, net.url, unique('지우'), first);
  await page.goto(`${net.url}/rooms`);
  await page.getByLabel('New room').fill(second);
  await page.getByRole('button', { name: 'Create' }).click();
  await connected(page);
  net.cut();
  await say(page, 'unsent');
  await expect(pending(page)).toHaveCount(1);
  const url = page.url();
  await leave(page);
  await expect(page).toHaveURL(/\/rooms\?left=/);
  net.restore();
  await page.getByRole('link', { name: first }).first().click();
  await connected(page);
  await expect(page.locator('.side')).toContainText(second);
  await page.goto(url);
  await expect(field(page)).toBeVisible();
  await settled(page, ['unsent']);
});
