import { copyFile, mkdir, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Proxy } from '../tests/support/proxy';
import { Server } from '../tests/support/server';
import { test } from '../tests/support/test';
import { looksOf, nameOf, options } from './pictures/looks';
import { states } from './pictures/states';
import { People, scenes } from './pictures/talk';

/** All of them, for whoever works on the page to look at. */
const folder = resolve(import.meta.dirname, '../screenshots');
/** The few that the documentation shows, under names of their own. */
const shown = resolve(import.meta.dirname, '../../docs/screenshots');
const inDocs: Record<string, string> = {
  'room-1280-en-light': 'room',
  'room-390-ko-dark': 'room-phone-ko-dark',
  'door-1280-en-light': 'sign-in',
  'door-320-ko-light': 'sign-in-phone-ko',
  'offline-390-en-light': 'offline-phone',
  'failed-message-1280-en-light': 'failed-message',
};

/** Which states, by a part of their names; all of them if not said. */
const only = process.env.ONLY ?? '';
const chosen = Object.entries(states).filter(([name]) => name.includes(only));

let server: Server;
let strict: Server;
let people: People;

test.beforeAll(async ({ browser }, info) => {
  // A picture that fails starts another worker, which goes on.
  if (!only && info.workerIndex === 0) await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await mkdir(shown, { recursive: true });
  server = await Server.start();
  strict = await Server.start({ env: { HUBBUB_LIMITS: '0.1' } });
  people = new People(browser, server.url);
  for (const lang of ['en', 'ko'] as const) {
    await people.talk(lang);
    for (const [name] of scenes[lang].lines.slice(1, 3)) await people.stay(name, scenes[lang].room);
  }
  // They have talked; under their names the pictures' own visitors sign in.
  for (const lang of ['en', 'ko'] as const) {
    await (await people.in(scenes[lang].me, scenes[lang].room)).request.post(`${server.url}/signout`, { maxRedirects: 0 });
  }
});

test.afterAll(async () => {
  await people.close();
  await strict.remove();
  await server.remove();
});

for (const [index, [name, state]] of chosen.entries()) {
  for (const look of looksOf(index, state)) {
    const file = `${name}-${nameOf(look)}`;
    test(file, async ({ browser }) => {
      const net = await Proxy.before(server);
      const context = await browser.newContext({ ...options(look), ...state.browser });
      try {
        const page = await context.newPage();
        await state.open({ page, net, strict, people, look });
        await page.evaluate(() => document.fonts.ready);
        const path = resolve(folder, `${file}.png`);
        if (state.whole) {
          const height = await page.evaluate(() => document.documentElement.scrollHeight);
          await page.setViewportSize({ width: look.width, height: Math.max(look.height, height) });
        }
        await page.screenshot({ path });
        if (inDocs[file]) await copyFile(path, resolve(shown, `${inDocs[file]}.png`));
        for (const { url } of [net, strict]) {
          await context.request.post(`${url}/signout`, { maxRedirects: 0 }).catch(() => undefined);
        }
      } finally {
        await context.close();
        await net.close();
      }
    });
  }
}
