import type { Page, WebSocketRoute } from '@playwright/test';
import { agree, committed, connected, enter, field, say, texts, unique } from './support/people';
import { expect, test } from './support/test';

/** From the next page on: the page's sockets, the latest last. */
async function sockets(page: Page): Promise<WebSocketRoute[]> {
  const sockets: WebSocketRoute[] = [];
  await page.routeWebSocket('**/ws', (socket) => {
    sockets.push(socket);
    socket.connectToServer();
  });
  return sockets;
}

/** What a screen reader was told. */
const said = (page: Page) => page.locator('[role=status][aria-live=polite]');

for (const [lang, resting] of [
  ['en', 'Too many tabs are open. This one is paused until you come back to it.'],
  ['ko', '열린 탭이 너무 많아 이 탭은 잠시 멈췄습니다. 다시 돌아오시면 이어집니다.'],
] as const) {
  test.describe(lang, () => {
    test.use({ locale: lang });

    test('a tab that was one too many stays away until somebody is back at it', async ({ page, server }) => {
      const opened = await sockets(page);
      await enter(page, server.url, unique('지우'), unique('resting'));
      await opened[0]!.close({ code: 4006 });
      await expect(page.locator('.banner')).toContainText(resting);
      await expect(said(page)).toContainText(resting);
      await page.evaluate(() => dispatchEvent(new Event('online')));
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
      expect(opened).toHaveLength(1);

      await field(page).pressSequentially('a');
      await connected(page);
      await expect(page.locator('.banner')).toHaveCount(0);
      await opened[1]!.close({ code: 4006 });
      await expect(page.locator('.banner')).toBeVisible();
      await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
      await connected(page);
      await say(page, 'back');
      await expect.poll(() => committed(page)).toContain('back');
    });
  });
}

for (const [lang, slow] of [
  ['en', 'Sending slowly, 2 left'],
  ['ko', '천천히 보내는 중, 2개 남음'],
] as const) {
  test.describe(lang, () => {
    test.use({ locale: lang });

    test('messages that a slow server has not taken after 5 s are counted, politely', async ({ page, server }) => {
      let takes = false;
      const waiting: (() => void)[] = [];
      await page.routeWebSocket('**/ws', (socket) => {
        const upstream = socket.connectToServer();
        socket.onMessage((frame) => {
          const pass = () => upstream.send(frame);
          if (takes || JSON.parse(String(frame)).t !== 'send') pass();
          else waiting.push(pass);
        });
      });
      await enter(page, server.url, unique('지우'), unique('slow'));
      await say(page, 'one');
      await say(page, 'two');
      await expect(page.locator('.banner')).toHaveText(slow, { timeout: 15_000 });
      await expect(said(page)).toContainText(slow);
      takes = true;
      for (const pass of waiting) pass();
      await expect.poll(() => committed(page)).toEqual(['one', 'two']);
      await expect(page.locator('.banner')).toHaveCount(0);
    });
  });
}

test('half of an emoji is sent as the sign for what cannot be shown, and holds nothing up', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('half'));
  // What a paste or an input method leaves in the field.
  await field(page).evaluate((it: HTMLTextAreaElement) => {
    it.value = 'half \ud83d';
    it.dispatchEvent(new InputEvent('input', { bubbles: true }));
  });
  await field(page).press('Enter');
  await say(page, 'whole 😀');
  await expect.poll(() => committed(page)).toEqual(['half \ufffd', 'whole 😀']);
});

test('a message that the server cannot read is given up for its author to see, and the next one goes out', async ({ page, server }) => {
  let refused = 0;
  await page.routeWebSocket('**/ws', (socket) => {
    const upstream = socket.connectToServer();
    socket.onMessage((frame) => {
      const { t, room, p, n, text } = JSON.parse(String(frame));
      if (t === 'send' && text === 'unreadable') {
        refused += 1;
        socket.send(JSON.stringify({ t: 'error', code: 'bad_frame', detail: '', room, p, n }));
      } else upstream.send(frame);
    });
  });
  await enter(page, server.url, unique('지우'), unique('unreadable'));
  await say(page, 'unreadable');
  await say(page, 'readable');
  await expect.poll(() => committed(page)).toEqual(['readable']);
  await expect(page.locator('.failed')).toContainText('Not sent');
  expect(await texts(page)).toContain('unreadable');
  expect(refused).toBe(1);
});

test('what a person leaves in the browser goes when they sign out; the settings of the device and what is not ours stay', async ({ page, server }) => {
  const room = unique('secret');
  await enter(page, server.url, unique('지우'), room);
  await page.evaluate(() => {
    localStorage.setItem('neighbour', 'theirs');
    localStorage.setItem('hubbub.outbox.00.00', '{}');
  });
  await page.getByRole('button', { name: 'Room menu' }).click();
  await page.locator('[data-set=here]').uncheck();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.locator('#settings [data-set=enter]').uncheck();
  await page.keyboard.press('Escape');
  await field(page).fill('half a thought');
  const stored = () => page.evaluate(() => Object.entries(localStorage).map(([key, value]) => `${key}=${value}`).sort());
  await expect.poll(async () => (await stored()).join()).toContain('half a thought');
  expect((await stored()).join()).toContain('hubbub.muted.');
  void agree(page);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByRole('button', { name: 'Join', exact: true })).toBeVisible();
  expect(await stored()).toEqual(['hubbub.set.enter=off', 'neighbour=theirs']);
});

test('nobody finds which rooms somebody else muted', async ({ page, context, server }) => {
  const room = unique('secret');
  await enter(page, server.url, unique('지우'), room);
  await page.getByRole('button', { name: 'Room menu' }).click();
  await page.locator('[data-set=here]').uncheck();
  await context.clearCookies({ name: /.*/ });
  await enter(page, server.url, unique('하은'), room);
  await page.getByRole('button', { name: 'Room menu' }).click();
  await expect(page.locator('[data-set=here]')).toBeChecked();
  expect(await page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes('muted')))).toEqual([]);
});
