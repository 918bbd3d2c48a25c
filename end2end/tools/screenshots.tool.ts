import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from '@playwright/test';
import { connected, enter, field, say } from '../tests/support/people';
import { Proxy } from '../tests/support/proxy';
import { refuseMessages } from '../tests/support/refuse';
import { Server } from '../tests/support/server';
import { expect, test } from '../tests/support/test';

const folder = resolve(import.meta.dirname, '../../docs/screenshots');
const wide = { width: 1280, height: 800 };
const phone = { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

type Line = readonly [who: string, text: string];

const english: readonly Line[] = [
  ['Megan', 'Morning! The new sign-in is on the test server.'],
  ['Megan', 'One name, one room, nothing else: https://example.com/preview'],
  ['Sofia', 'Took me six seconds on the train, tunnel included.'],
  ['Paul', 'And in the tunnel?'],
  ['Sofia', 'I went on typing. It all went out when the line came back, once and in order.'],
  ['Paul', 'That is the whole idea 👏'],
  ['Megan', 'Then let us show it to everyone at two.\nI will bring the slides, somebody bring cake.'],
];

const korean: readonly Line[] = [
  ['하은', '좋은 아침이에요! 새 로그인 화면이 테스트 서버에 올라갔어요.'],
  ['하은', '이름 하나, 방 하나면 끝: https://example.com/preview'],
  ['민준', '지하철에서 6초 걸렸어요. 터널에서 끊겼는데도요.'],
  ['서연', '터널에서는 어떻게 됐어요?'],
  ['민준', '그냥 계속 썼어요. 다시 연결되니까 순서대로 한 번씩만 보내졌어요.'],
  ['서연', '바로 그거예요 👏'],
  ['하은', '그럼 두 시에 다 같이 봐요.\n자료는 제가 준비할게요, 누가 케이크 좀 가져와 주세요.'],
];

/** A room in which they have talked. */
async function talk(browser: Browser, url: string, room: string, lines: readonly Line[]): Promise<void> {
  for (const [n, [name, text]] of lines.entries()) {
    const context = await people(browser, url, name, room);
    const path = `${url}/r/${encodeURIComponent(room.toLowerCase())}`;
    await context.request.post(path, { form: { text, p: n.toString(16).padStart(16, '0'), n: '1' }, maxRedirects: 0 });
  }
}

const signedIn = new Map<string, Awaited<ReturnType<Browser['newContext']>>>();

/** Whoever that is, in this room, which is there from then on. */
async function people(browser: Browser, url: string, name: string, room: string) {
  const context = signedIn.get(name) ?? (await browser.newContext());
  signedIn.set(name, context);
  // Under the name that this browser has anyway, signing in is entering a room.
  await context.request.post(`${url}/signin`, { form: { name, room }, maxRedirects: 0 });
  return context;
}

test('screenshots', async ({ browser }) => {
  await mkdir(folder, { recursive: true });
  const server = await Server.start();
  const net = await Proxy.before(server);

  /** One picture: who looks how, what they do first. */
  const picture = async (file: string, look: BrowserContextOptions, act: (page: Page) => Promise<void>) => {
    const context = await browser.newContext({ locale: 'en-GB', viewport: wide, reducedMotion: 'reduce', ...look });
    const page = await context.newPage();
    await act(page);
    await page.evaluate(() => document.fonts.ready);
    await page.screenshot({ path: resolve(folder, `${file}.png`) });
    await context.request.post(`${server.url}/signout`, { maxRedirects: 0 }).catch(() => undefined);
    await context.close();
  };
  const inside = (name: string, room: string, url = server.url) => (page: Page) => enter(page, url, name, room);

  try {
    await talk(browser, server.url, 'Design review', english);
    await talk(browser, server.url, '디자인 리뷰', korean);
    for (const room of ['Lunch', 'Release 2.0']) await talk(browser, server.url, room, [['Megan', 'Hello']]);
    /** Somebody with more than one room, so that the sidebar is not bare. */
    const busy = (url = server.url) => async (page: Page) => {
      await enter(page, url, 'Jiwoo', 'Lunch');
      for (const room of ['Release 2.0', 'Design review']) {
        await page.goto(`${url}/r/${encodeURIComponent(room.toLowerCase())}`);
        await connected(page);
      }
      const other = await browser.newContext({ storageState: await signedIn.get('Sofia')!.storageState() });
      const here = await other.newPage();
      await here.goto(page.url().replace(url, server.url));
      await connected(here);
      await expect(page.locator('.people li')).toHaveCount(2);
      await other.close();
    };

    await picture('sign-in', {}, async (page) => void (await page.goto(server.url)));
    await picture('sign-in-phone-ko', { ...phone, locale: 'ko-KR' }, async (page) => void (await page.goto(server.url)));
    await picture('room', {}, busy());
    await picture('room-dark', { colorScheme: 'dark' }, busy());
    await picture('room-phone', phone, busy());
    await picture('room-ko', { locale: 'ko-KR' }, inside('지우', '디자인 리뷰'));
    await picture('room-phone-ko-dark', { ...phone, locale: 'ko-KR', colorScheme: 'dark' }, inside('지우', '디자인 리뷰'));
    await picture('drawer-phone-ko', { ...phone, locale: 'ko-KR' }, async (page) => {
      await enter(page, server.url, '지우', '디자인 리뷰');
      await page.locator('.head .menu').click();
      await expect(page.locator('.side')).toBeInViewport({ ratio: 1 });
    });
    await picture('empty-room', {}, inside('Jiwoo', 'Book club'));
    await picture('failed-message', {}, async (page) => {
      await refuseMessages(page);
      await enter(page, server.url, 'Jiwoo', 'Design review');
      await say(page, 'I will bring the cake.');
      await expect(page.locator('.failed')).toBeVisible();
    });
    await picture('rooms', {}, async (page) => {
      await enter(page, server.url, 'Jiwoo', 'Design review');
      await page.goto(`${server.url}/rooms`);
    });
    await picture('not-found', {}, async (page) => {
      await enter(page, server.url, 'Jiwoo', 'Design review');
      await page.goto(`${server.url}/r/chess`);
    });
    await picture('offline-page-ko', { ...phone, locale: 'ko-KR' }, async (page) => void (await page.goto(`${server.url}/offline.html`)));
    await picture('offline-phone', phone, async (page) => {
      await enter(page, net.url, 'Jiwoo', 'Design review');
      net.cut();
      await expect(page.locator('.banner')).toBeVisible({ timeout: 10_000 });
      // Enter breaks the line on a phone.
      await field(page).fill('Cake is on me.');
      await page.locator('.send').click();
      await field(page).fill('And candles');
      await expect(page.locator('.pending')).toBeVisible();
    });
  } finally {
    await net.close();
    await server.remove();
  }
});
