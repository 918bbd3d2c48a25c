import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import type { BrowserContextOptions, Locator, Page } from '@playwright/test';
import { connected, field, postByForm } from '../../tests/support/people';
import type { Proxy } from '../../tests/support/proxy';
import { refuseMessages } from '../../tests/support/refuse';
import type { Server } from '../../tests/support/server';
import { expect } from '../../tests/support/test';
import { look, type Look } from './looks';
import { address, type People, scenes } from './talk';

export interface Scene {
  page: Page;
  /** Before the server, and in the way when it is to be. */
  net: Proxy;
  /** One that allows next to nothing. */
  strict: Server;
  people: People;
  look: Look;
}

export interface State {
  open: (scene: Scene) => Promise<void>;
  /** Looked at in every width. */
  often?: boolean;
  /** Looked at in one more way. */
  also?: Look;
  /** How this browser differs from others. */
  browser?: BrowserContextOptions;
  /** The whole page rather than the window. */
  whole?: boolean;
}

const send = (page: Page) => page.locator('.send').click();

/** A phone's Enter breaks the line. */
async function say(page: Page, text: string): Promise<void> {
  await field(page).fill(text);
  await send(page);
}

/** Signs in by the form of the first page. */
async function signIn({ page, look }: Scene, url: string, room = scenes[look.lang].room): Promise<void> {
  await page.goto(url);
  await page.locator('#name').fill(scenes[look.lang].me);
  await page.locator('#room').fill(room);
  await page.locator('.go').click();
  await expect(page.locator('.room h1')).toHaveText(room);
}

/** The room in which they talk, with what was not read marked as read. */
async function room(scene: Scene, name?: string): Promise<void> {
  await signIn(scene, scene.net.url, name);
  await connected(scene.page);
}

/** The same by somebody with more than one room. */
async function busy(scene: Scene): Promise<void> {
  const { page, net, look } = scene;
  const { me, room: last, rooms } = scenes[look.lang];
  await signIn(scene, net.url, rooms[0]);
  // Under the name that this browser has by now, signing in is entering a room.
  for (const room of [...rooms.slice(1), last]) {
    await page.request.post(`${net.url}/signin`, { form: { name: me, room }, maxRedirects: 0 });
  }
  await page.goto(address(net.url, last));
  await connected(page);
}

/** On a phone the sidebar is a drawer. */
async function drawer(page: Page): Promise<void> {
  const menu = page.locator('.head .menu');
  if (!(await menu.isVisible())) return;
  await menu.click();
  await expect(page.locator('.side')).toBeInViewport({ ratio: 1 });
}

async function press(page: Page, button: Locator): Promise<void> {
  await drawer(page);
  await button.click();
}

/** What the server answers, asked as a stranger's browser asks it. */
async function asked(url: string, host: string, lang: string): Promise<string> {
  const { port } = new URL(url);
  return new Promise((resolve, reject) => {
    const headers = { host, accept: 'text/html', 'accept-language': lang };
    request({ host: '127.0.0.1', port, path: '/', headers }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (part: string) => (body += part));
      answer.on('end', () => resolve(body));
    })
      .on('error', reject)
      .end();
  });
}

export const states: Record<string, State> = {
  door: { often: true, whole: true, open: async ({ page, net }) => void (await page.goto(net.url)) },
  'door-refused': {
    open: async ({ page, net }) => {
      await page.goto(net.url);
      await page.locator('#name').fill('a/b');
      await page.locator('.go').click();
      await expect(page.locator('#name-problem')).toBeVisible();
    },
  },
  'door-name-taken': {
    open: async ({ page, net, look }) => {
      await page.goto(net.url);
      const { lines, room } = scenes[look.lang];
      await page.locator('#name').fill(lines[0]![0]);
      await page.locator('#room').fill(room);
      await page.locator('.go').click();
      await expect(page.locator('.pick').first()).toBeVisible();
    },
  },
  room: { often: true, open: busy },
  'room-empty': { open: (scene) => room(scene, scenes[scene.look.lang].empty) },
  'room-unread': {
    open: async (scene) => {
      const { page, net, people, look } = scene;
      const { lines, rooms } = scenes[look.lang];
      await room(scene, rooms[0]);
      await page.goto(`${net.url}/rooms`);
      for (const [name, text] of lines) if (name !== scenes[look.lang].me) await people.say(name, rooms[0]!, text);
      await page.goto(address(net.url, rooms[0]!));
      await connected(page);
      await expect(page.locator('.new')).toBeVisible();
    },
  },
  'room-message-by-its-address': {
    open: async (scene) => {
      await room(scene);
      await scene.page.goto(`${address(scene.net.url, scenes[scene.look.lang].room)}/3`);
      await connected(scene.page);
      await expect(scene.page.locator('.target')).toBeVisible();
    },
  },
  'room-typing': {
    open: async (scene) => {
      await busy(scene);
      const { lines, room: name } = scenes[scene.look.lang];
      const other = (await scene.people.in(lines[0]![0], name)).pages()[0]!;
      await field(other).pressSequentially('🍰🍰');
      await expect(scene.page.locator('.typing')).not.toBeEmpty();
      await field(scene.page).fill('🍰?');
      await field(other).fill('');
    },
  },
  'room-compact': {
    often: true,
    open: async (scene) => {
      await scene.page.context().addCookies([{ name: 'density', value: 'compact', url: scene.net.url }]);
      await busy(scene);
    },
  },
  drawer: {
    open: async (scene) => {
      await busy(scene);
      await drawer(scene.page);
    },
  },
  offline: {
    also: look('en', 'light', 390, 780),
    open: async (scene) => {
      const { page, net } = scene;
      await busy(scene);
      net.cut();
      await expect(page.locator('.banner')).toBeVisible({ timeout: 10_000 });
      await say(page, scene.look.lang === 'ko' ? '케이크는 제가 가져갈게요.' : 'Cake is on me.');
      await field(page).fill(scene.look.lang === 'ko' ? '그리고 초도' : 'And candles');
      await expect(page.locator('.pending')).toBeVisible();
    },
  },
  notice: {
    open: async (scene) => {
      const { page, strict, look } = scene;
      const text = look.lang === 'ko' ? '오늘 15시에 5분쯤 쉬어 갑니다.' : 'We restart at 15:00 and are back in five minutes.';
      await strict.command('notice', text, '--for', '30s');
      await signIn(scene, strict.url);
      // Not the one of the picture before.
      await expect(page.locator('.banner.notice span')).toHaveText(text);
    },
  },
  back: {
    open: async (scene) => {
      const { page, net } = scene;
      await busy(scene);
      net.cut();
      await expect(page.locator('.banner')).toBeVisible({ timeout: 10_000 });
      for (const text of ['🍰', '🕯️']) await say(page, text);
      net.restore();
      // If it does not connect of itself at this very moment.
      await page.evaluate(() => document.querySelector<HTMLElement>('.banner button')?.click());
      await expect(page.locator('.banner.good')).toBeVisible();
    },
  },
  'script-stopped': {
    browser: { serviceWorkers: 'block' },
    open: async (scene) => {
      await scene.page.route('**/*.wasm', (route) => route.abort());
      await signIn(scene, scene.net.url);
      await expect(scene.page.locator('html')).toHaveAttribute('data-script', 'stopped');
    },
  },
  'room-menu': {
    open: async (scene) => {
      await busy(scene);
      await scene.page.locator('button[popovertarget=room-menu]').click();
      await expect(scene.page.locator('#room-menu')).toBeVisible();
    },
  },
  slow: {
    open: async (scene) => {
      const { page } = scene;
      await page.routeWebSocket('**/ws', (socket) => {
        const server = socket.connectToServer();
        socket.onMessage((frame) => {
          if (JSON.parse(String(frame)).t !== 'send') server.send(frame);
        });
      });
      await busy(scene);
      for (const text of ['🍰', '🕯️']) await say(page, text);
      await expect(page.locator('.banner')).toBeVisible({ timeout: 15_000 });
    },
  },
  'signed-out': {
    open: async (scene) => {
      await busy(scene);
      await scene.page.context().request.post(`${scene.net.url}/signout`, { maxRedirects: 0 });
      await expect(scene.page.locator('#again').first()).toBeVisible({ timeout: 10_000 });
    },
  },
  'failed-message': {
    open: async (scene) => {
      await refuseMessages(scene.page);
      await room(scene);
      await say(scene.page, scene.look.lang === 'ko' ? '케이크는 제가 가져갈게요.' : 'I will bring the cake.');
      await expect(scene.page.locator('.failed')).toBeVisible();
    },
  },
  'text-too-long': {
    open: async (scene) => {
      await room(scene);
      await say(scene.page, '🍰 '.repeat(2_001));
      await expect(scene.page.locator('#text-problem')).not.toBeEmpty();
    },
  },
  switcher: {
    open: async (scene) => {
      await busy(scene);
      await press(scene.page, scene.page.locator('.side button[aria-keyshortcuts]'));
      await expect(scene.page.locator('dialog.switcher[open] [role=combobox]')).toBeFocused();
    },
  },
  settings: {
    often: true,
    open: async (scene) => {
      await busy(scene);
      await press(scene.page, scene.page.locator('button[popovertarget=settings]').first());
      await expect(scene.page.locator('#settings')).toBeVisible();
    },
  },
  shortcuts: {
    open: async (scene) => {
      await busy(scene);
      await press(scene.page, scene.page.locator('button[popovertarget=settings]').first());
      await scene.page.locator('[data-open=keys]').click();
      await expect(scene.page.locator('dialog#keys[open]')).toBeVisible();
    },
  },
  rooms: {
    often: true,
    open: async (scene) => {
      await busy(scene);
      await scene.page.goto(`${scene.net.url}/rooms`);
    },
  },
  'rooms-found': {
    open: async (scene) => {
      await busy(scene);
      await scene.page.goto(`${scene.net.url}/rooms`);
      await scene.page.locator('input[type=search]').fill(scenes[scene.look.lang].rooms[0]!);
      await expect(scene.page).toHaveURL(/[?]q=/);
    },
  },
  'room-left': {
    open: async (scene) => {
      await busy(scene);
      await scene.page.locator('button[popovertarget=room-menu]').click();
      await scene.page.locator('#room-menu .item').click();
      await expect(scene.page).toHaveURL(/\/rooms/);
    },
  },
  'no-such-room-404': {
    open: async (scene) => {
      await room(scene);
      await scene.page.goto(`${scene.net.url}/r/chess`);
    },
  },
  'no-such-page-404': { often: true, open: async ({ page, net }) => void (await page.goto(`${net.url}/nothing`)) },
  'another-address-421': {
    open: async ({ page, net, look }) => void (await page.setContent(await asked(net.url, 'chat.example.com', look.lang))),
  },
  'too-much-429': {
    open: async (scene) => {
      const { page, strict, look } = scene;
      await signIn(scene, strict.url);
      const path = new URL(page.url()).pathname;
      const text = look.lang === 'ko' ? '케이크는 제가 가져갈게요.' : 'I will bring the cake.';
      const post = () => page.request.post(page.url(), { form: { text, p: randomBytes(8).toString('hex'), n: '1' }, maxRedirects: 0 });
      const posts = (many: number) => Promise.all(Array.from({ length: many }, post));
      // All that one may write at once, and then as many as may wait for more: what comes beside them is refused.
      await posts(20);
      while ((await page.locator('[data-code=too_many]').count()) === 0) {
        await Promise.all([posts(4), postByForm(page, path, text)]);
      }
    },
  },
  'offline-page': { open: async ({ page, net }) => void (await page.goto(`${net.url}/offline.html`)) },
  'without-script': {
    browser: { javaScriptEnabled: false },
    open: (scene) => signIn(scene, scene.net.url),
  },
  print: {
    whole: true,
    open: async (scene) => {
      await busy(scene);
      await scene.page.emulateMedia({ media: 'print' });
    },
  },
  'forced-colours': {
    browser: { forcedColors: 'active' },
    open: async (scene) => {
      await busy(scene);
      await field(scene.page).fill('🍰?');
    },
  },
  'forced-colours-settings': {
    browser: { forcedColors: 'active' },
    open: async (scene) => {
      await busy(scene);
      await press(scene.page, scene.page.locator('button[popovertarget=settings]').first());
      await expect(scene.page.locator('#settings')).toBeVisible();
    },
  },
};
