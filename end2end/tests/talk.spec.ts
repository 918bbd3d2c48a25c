import type { Browser } from '@playwright/test';
import { committed, enter, leave, say, tell, unique } from './support/people';
import { expect, test } from './support/test';

/** Two people in two browsers, on whatever instances: the whole way of a conversation. */
async function converse(browser: Browser, first: string, second: string): Promise<void> {
  const room = unique('디자인 리뷰');
  const [jiwoo, megan] = [unique('지우'), unique('Megan')];
  const here = await (await browser.newContext()).newPage();
  const there = await (await browser.newContext()).newPage();

  await enter(here, first, jiwoo, room);
  await enter(there, second, megan, room);
  // The name stands between characters that isolate its direction.
  await expect(here.locator('.note')).toHaveText(new RegExp(`${megan}\\W* entered`), { timeout: 10_000 });
  await expect(here.locator('.people')).toContainText(megan);
  await expect(there.locator('.people')).toContainText(jiwoo);

  await say(here, '안녕하세요 👋');
  await expect(there.locator('.log')).toContainText('안녕하세요 👋');
  await say(there, 'Hello <b>there</b>');
  await expect(here.locator('.log')).toContainText('Hello <b>there</b>');
  for (const page of [here, there]) {
    await expect(page.locator('.pending')).toHaveCount(0);
    expect(await committed(page)).toEqual(['안녕하세요 👋', 'Hello <b>there</b>']);
  }

  await there.reload();
  expect(await committed(there)).toEqual(['안녕하세요 👋', 'Hello <b>there</b>']);
  await leave(there);
  await expect(here.locator('.note').last()).toHaveText(new RegExp(`${megan}\\W* left`), { timeout: 15_000 });
  await expect(here.locator('.people')).not.toContainText(megan);
  for (const page of [here, there]) await page.context().close();
}

test('two browsers on two instances with one Redis talk both ways', async ({ browser, cluster }) => {
  await converse(browser, cluster.servers[0].url, cluster.servers[1].url);
});

test('two browsers on one instance with the embedded engine talk both ways', async ({ browser, server }) => {
  await converse(browser, server.url, server.url);
});

for (const [language, name, room] of [
  ['Korean', '하은', '서울 모임'],
  ['Japanese', 'さくら', '東京の部屋'],
  ['Arabic', 'مريم', 'غرفة الدردشة'],
  ['emoji', '👩‍💻', '🚀 launch 100%'],
] as const) {
  test(`names in ${language} work everywhere, the address included`, async ({ page, server }) => {
    const [me, here] = [unique(name), unique(room)];
    await enter(page, server.url, me, here);
    await tell(page, `${name} @ ${room}`);
    const address = page.url();
    expect(decodeURIComponent(new URL(address).pathname)).toBe(`/r/${here.toLowerCase()}`);
    await page.goto(address);
    await expect(page.getByRole('heading', { name: here })).toBeVisible();
    await expect(page).toHaveTitle(`${here} · Hubbub`);
    await expect(page.locator('.log .by').first()).toContainText(me);
    expect(await committed(page)).toEqual([`${name} @ ${room}`]);
    await page.goto(`${server.url}/rooms`);
    await page.getByRole('link', { name: here }).first().click();
    await expect(page).toHaveURL(address);
  });
}

test('what people type is text, never HTML, and the page keeps to its policy', async ({ page, server }) => {
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  page.on('dialog', () => errors.push('a script ran'));
  const evil = `<img src=x onerror=alert(1)> ${unique('')}`;
  await enter(page, server.url, unique('<b>x'), evil.replace('/', ''));
  await tell(page, '<script>alert(1)</script> "quotes" & more');
  await page.reload();
  expect(await committed(page)).toEqual(['<script>alert(1)</script> "quotes" & more']);
  await expect(page.locator('.log script, .log img')).toHaveCount(0);
  expect(errors).toEqual([]);
});

test('a link is a link and the rest of the message stays as it was', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('links'));
  await tell(page, '주소는 https://example.com/a?b=1#c입니다. (http://example.org/x) javascript:alert(1)');
  const links = page.locator('.log .text a');
  await expect(links).toHaveText(['https://example.com/a?b=1#c', 'http://example.org/x']);
  await expect(links.first()).toHaveAttribute('rel', 'noopener noreferrer');
});

test('a link opens in a tab of its own, which knows nothing of the room', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('links'));
  await tell(page, `${server.url}/rooms`);
  const opened = page.context().waitForEvent('page');
  await page.locator('.log .text a').click();
  const other = await opened;
  await expect(other).toHaveURL(`${server.url}/rooms`);
  expect(await other.evaluate(() => [window.opener, document.referrer])).toEqual([null, '']);
  await expect(page.getByRole('log')).toBeVisible();
});
