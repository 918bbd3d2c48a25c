import type { Page } from '@playwright/test';
import { committed, connected, field, say, signIn, unique } from './support/people';
import { expect, test } from './support/test';

/** From now on, until what it returns is called, the page is told that the server is of another build. */
async function deployed(page: Page): Promise<() => void> {
  let build: string | undefined = '"build":"tomorrow"';
  await page.routeWebSocket('**/ws', (socket) => {
    const server = socket.connectToServer();
    server.onMessage((message) => socket.send(String(message).replace(/"build":"[^"]*"/, (real) => build ?? real)));
  });
  return () => (build = undefined);
}

test('offers another build, and keeps what was typed when it is taken', async ({ page, server }) => {
  const room = unique('update');
  const loaded = await deployed(page);
  await signIn(page, server.url, unique('Ann'), room);
  await connected(page);
  const offer = page.locator('.banner a');
  await expect(offer).toHaveText('There is a new version of this page. Reload');
  await field(page).fill('half a thought');
  loaded();
  await offer.click();
  await connected(page);
  await expect(offer).toHaveCount(0);
  await expect(field(page)).toHaveValue('half a thought');
});

test('takes another build by itself while nobody looks, once', async ({ page, server }) => {
  await deployed(page);
  await signIn(page, server.url, unique('Ann'), unique('update'));
  await connected(page);
  let loads = 0;
  page.on('load', () => loads++);
  const hide = () =>
    page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
      document.dispatchEvent(new Event('visibilitychange'));
    });
  await hide();
  await expect.poll(() => loads).toBe(1);
  // The server still says that it is of another build; the page has done what it could.
  await connected(page);
  await expect(page.locator('.banner a')).toBeVisible();
  await hide();
  // What is committed now was painted while the page was hidden, which is when it would have been loaded anew.
  await say(page, 'still here');
  await expect.poll(() => committed(page)).toEqual(['still here']);
  expect(loads).toBe(1);
});

test('what stands in the field of a hidden page survives its reload, whatever another tab did in the same room', async ({ page, server }) => {
  await deployed(page);
  await signIn(page, server.url, unique('Ann'), unique('update'));
  await connected(page);
  await field(page).fill('half a thought');
  // Sending there empties the draft of the room, which is one for all tabs.
  const other = await page.context().newPage();
  await other.goto(page.url());
  await connected(other);
  await say(other, 'hi');
  await expect.poll(() => committed(other)).toEqual(['hi']);
  await expect(page.locator('.log')).toContainText('hi');
  const loaded = page.waitForEvent('load');
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await loaded;
  await connected(page);
  await expect(field(page)).toHaveValue('half a thought');
  await other.close();
});

test('loads itself anew at once when the server does not speak its version of the protocol any more, once', async ({ page, server }) => {
  // As a page of another time would: under the name of its own version.
  await page.addInitScript(() => {
    const Real = WebSocket;
    window.WebSocket = class extends Real {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, localStorage.getItem('speaks') ?? protocols);
      }
    };
  });
  await signIn(page, server.url, unique('Ann'), unique('update'));
  await connected(page);
  await field(page).fill('half a thought');
  const speak = (version: string) => page.evaluate((version) => localStorage.setItem('speaks', version), version);
  await speak('hubbub.v0');
  let loads = 0;
  page.on('load', () => loads++);
  await page.reload();
  await expect.poll(() => loads).toBe(2);
  // Once: the page that came speaks no other version either.
  await expect(page.locator('.banner')).toBeVisible({ timeout: 10_000 });
  await expect(field(page)).toHaveValue('half a thought');
  expect(loads).toBe(2);
  await speak('hubbub.v1');
  await page.reload();
  await connected(page);
});
