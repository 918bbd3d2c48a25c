import type { Page } from '@playwright/test';
import { connected, enter, unique } from './support/people';
import { Server } from './support/server';
import { expect, test } from './support/test';

/** Until the worker is in charge of this page. */
async function watched(page: Page): Promise<void> {
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated');
}

function cached(page: Page): Promise<Record<string, string[]>> {
  return page.evaluate(async () => {
    const all: Record<string, string[]> = {};
    for (const name of await caches.keys()) {
      const requests = await (await caches.open(name)).keys();
      all[name] = requests.map(({ url }) => url.slice(location.origin.length)).sort();
    }
    return all;
  });
}

test('it can be installed', async ({ page, server, request }) => {
  for (const [lang, name] of [
    ['en', 'English'],
    ['ko', '한국어'],
  ] as const) {
    await page.goto(server.url);
    await page.getByRole('link', { name }).click();
    const href = await page.locator('link[rel=manifest]').getAttribute('href');
    expect(href).toBe(`/manifest.${lang}.webmanifest`);
    const response = await request.get(`${server.url}${href}`);
    expect(response.headers()['content-type']).toBe('application/manifest+json');
    const manifest = await response.json();
    expect(manifest).toMatchObject({ lang, id: '/', start_url: '/', display: 'standalone' });
    for (const { src, sizes, type } of manifest.icons) {
      const icon = await request.get(`${server.url}${src}`);
      expect(icon.headers()['content-type']).toBe(type);
      if (type !== 'image/png') continue;
      const body = await icon.body();
      expect(`${body.readUInt32BE(16)}x${body.readUInt32BE(20)}`, src).toBe(sizes);
    }
  }
  await watched(page);
  const cdp = await page.context().newCDPSession(page);
  expect((await cdp.send('Page.getAppManifest')).errors).toEqual([]);
  const { installabilityErrors } = await cdp.send('Page.getInstallabilityErrors');
  // A test's window is a private one, where nothing can be installed.
  expect(installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito')).toEqual([]);
});

for (const [locale, title, again] of [
  ['en-GB', 'You are offline', 'Try again'],
  ['ko-KR', '인터넷 연결이 끊겼습니다', '다시 시도'],
] as const) {
  test.describe(locale, () => {
    test.use({ locale });
    test('without a network the page says so, and leads on when it is back', async ({ page }) => {
      const server = await Server.start();
      try {
        await enter(page, server.url, unique('지우'), unique('tunnel'));
        await watched(page);
        const room = page.url();
        await server.stop('SIGKILL');
        for (const address of [room, `${server.url}/rooms`]) {
          await page.goto(address);
          await expect(page.getByRole('heading')).toHaveText([title]);
          expect(page.url()).toBe(address);
        }
        expect(await page.evaluate(() => getComputedStyle(document.body).margin), 'it has its styles').toBe('0px');
        await page.goto(room);
        await server.resume();
        await page.getByRole('link', { name: again }).click();
        await connected(page);
        expect(page.url()).toBe(room);
      } finally {
        await server.remove();
      }
    });
  });
}

test('the worker keeps the built files and the offline page, and nothing private', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('secret'));
  await watched(page);
  await page.reload();
  await connected(page);
  await page.goto(`${server.url}/rooms`);
  await page.goBack();
  await connected(page);
  const all = await cached(page);
  expect(Object.keys(all)).toEqual([expect.stringMatching(/^hubbub-[0-9a-f]{12}$/)]);
  const [files] = Object.values(all);
  const hash = expect.stringMatching(/^\/pkg\/hubbub\.[\w-]{22}\.(js|wasm)$/);
  expect(files).toEqual(['/favicon.svg', '/offline.css', '/offline.html', '/offline.js', hash, hash]);
});

test('another build takes the place of the one before', async ({ page, server }) => {
  await page.goto(server.url);
  await watched(page);
  await page.evaluate(() => navigator.serviceWorker.register('/sw.js?v=next'));
  await expect.poll(async () => Object.keys(await cached(page))).toEqual(['hubbub-next']);
  // The page of the present build says again which one it is.
  await page.reload();
  await expect.poll(async () => Object.keys(await cached(page))).toEqual([expect.stringMatching(/^hubbub-[0-9a-f]{12}$/)]);
  const worker = await page.request.get(`${server.url}/sw.js`);
  expect(worker.headers()['cache-control']).toBe('no-cache');
  expect(worker.headers()['content-type']).toBe('text/javascript');
});

test('under development there is no worker, and one from before goes', async ({ page }) => {
  const server = await Server.start({ env: { LEPTOS_WATCH: 'true' } });
  try {
    const left = () =>
      page.evaluate(async () => [(await navigator.serviceWorker.getRegistrations()).length, (await caches.keys()).length]);
    await page.goto(server.url);
    await page.evaluate(() => navigator.serviceWorker.register('/sw.js?v=old'));
    await watched(page);
    expect(await left()).toEqual([1, 1]);
    await page.reload();
    await expect.poll(left).toEqual([0, 0]);
    await page.reload();
    expect(await left()).toEqual([0, 0]);
  } finally {
    await server.remove();
  }
});

test('a room asks for each of its files once, for at most eight in all, and uses what it preloads', async ({ page, server, browser }) => {
  const room = unique('network');
  await enter(page, server.url, unique('지우'), room);
  const cookies = await page.context().cookies();
  const fresh = await (await browser.newContext()).newPage();
  await fresh.context().addCookies(cookies);
  const complaints: string[] = [];
  fresh.on('console', (message) => {
    if (['warning', 'error'].includes(message.type())) complaints.push(message.text());
  });
  const cdp = await fresh.context().newCDPSession(fresh);
  await cdp.send('Network.enable');
  const asked: string[] = [];
  cdp.on('Network.requestWillBeSent', ({ request }) => {
    if (request.url.startsWith('http')) asked.push(new URL(request.url).pathname);
  });
  await fresh.goto(page.url());
  await connected(fresh);
  await watched(fresh);
  // A preload that did not fit would be asked for a second time, answered from the cache or not.
  expect(asked.sort()).toEqual([...new Set(asked)]);
  expect(asked.filter((path) => path.startsWith('/pkg/'))).toHaveLength(2);
  expect(asked.length).toBeLessThanOrEqual(8);
  expect(complaints).toEqual([]);
  await fresh.context().close();
});
