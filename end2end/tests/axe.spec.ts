import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { enter, postByForm, say, tell, signIn, unique, written } from './support/people';
import { Proxy } from './support/proxy';
import { Redis } from './support/redis';
import { refuseMessages } from './support/refuse';
import { Server } from './support/server';
import { expect, test } from './support/test';

interface Scene {
  page: Page;
  server: Server;
  net: Proxy;
}

const phone = { width: 320, height: 640 };

/** A room with a conversation of two in it. */
async function room({ page, net }: Scene): Promise<void> {
  const name = unique('axe');
  await written(page, net.url, unique('Megan'), name, ['Hello', 'See https://example.com/a', '안녕하세요']);
  await enter(page, net.url, unique('지우'), name);
  await tell(page, 'Hi');
}

async function refusedName({ page, net }: Scene): Promise<void> {
  const name = unique('Paul');
  await signIn(page, net.url, name, unique('axe'));
  await page.context().clearCookies({ name: /hubbub/ });
  await page.goto(net.url);
  await page.locator('#name').fill(name);
  await page.locator('#room').fill('axe');
  await page.locator('.go').click();
  await expect(page.locator('#name-problem')).toHaveAttribute('data-code', 'name_taken');
}

/** Posts a message that will not be taken, and comes back in its field. */
async function postInVain(page: Page, action: string, text: string): Promise<void> {
  await postByForm(page, action, text);
  await expect(page.locator('.again textarea')).toHaveValue(text, { timeout: 15_000 });
}

/** What people can find on the screen, by name, and how to get there. */
const states: Record<string, (scene: Scene) => Promise<void>> = {
  'sign-in': async ({ page, net }) => void (await page.goto(net.url)),
  'sign-in with errors': async ({ page, net }) => {
    await page.goto(net.url);
    await page.locator('.go').click();
    await expect(page.locator('.err').first()).toBeVisible();
  },
  'taken name': refusedName,
  'empty room': async ({ page, net }) => enter(page, net.url, unique('지우'), unique('axe')),
  room,
  'compact room': async (scene) => {
    await scene.page.context().addCookies([{ name: 'density', value: 'compact', url: scene.net.url }]);
    await room(scene);
  },
  'drawer at 320 px': async (scene) => {
    await scene.page.setViewportSize(phone);
    await room(scene);
    await scene.page.locator('.head .menu').click();
    await expect(scene.page.locator('.side')).toBeInViewport();
  },
  'room at 320 px': async (scene) => {
    await scene.page.setViewportSize(phone);
    await room(scene);
  },
  'failed message': async ({ page, net }) => {
    await refuseMessages(page);
    await enter(page, net.url, unique('지우'), unique('axe'));
    await say(page, 'never arrives');
    await expect(page.locator('.failed')).toBeVisible();
  },
  'offline, with a message waiting': async (scene) => {
    await room(scene);
    scene.net.cut();
    await expect(scene.page.locator('.banner')).toBeVisible({ timeout: 10_000 });
    await say(scene.page, 'waiting');
    await expect(scene.page.locator('.pending')).toBeVisible();
  },
  'signed out elsewhere': async (scene) => {
    await room(scene);
    const other = await scene.page.context().newPage();
    await other.goto(`${scene.net.url}/rooms`);
    await other.locator('form[action="/signout"] button').click();
    // A tab that is closed before its form was answered may never have sent it.
    await expect(other.locator('form[action="/signin"]')).toBeVisible();
    await other.close();
    await expect(scene.page.locator('#again').first()).toBeVisible({ timeout: 10_000 });
  },
  'room switcher': async (scene) => {
    await room(scene);
    await scene.page.keyboard.press('Control+KeyK');
    await expect(scene.page.locator('dialog.switcher[open] [role=combobox]')).toBeFocused();
  },
  'keyboard shortcuts': async (scene) => {
    await room(scene);
    await scene.page.locator('.log').focus();
    await scene.page.keyboard.press('?');
    await expect(scene.page.locator('dialog#keys[open]')).toBeVisible();
  },
  settings: async (scene) => {
    await room(scene);
    await scene.page.locator('button[popovertarget=settings]').first().click();
    await expect(scene.page.locator('#settings')).toBeVisible();
  },
  'a message by its address': async (scene) => {
    await room(scene);
    await scene.page.goto(`${scene.page.url()}/1`);
    await expect(scene.page.locator('.target')).toBeVisible();
  },
  'a text that is too long': async (scene) => {
    await room(scene);
    await say(scene.page, 'x'.repeat(4_001));
    await expect(scene.page.locator('#text-problem')).not.toBeEmpty();
  },
  'rooms, signed in': async ({ page, net }) => {
    await signIn(page, net.url, unique('지우'), unique('axe'));
    await page.goto(`${net.url}/rooms`);
  },
  'rooms, signed out': async ({ page, net }) => void (await page.goto(`${net.url}/rooms`)),
  'no such room (404)': async ({ page, net }) => {
    await signIn(page, net.url, unique('지우'), unique('axe'));
    await page.goto(`${net.url}/r/${encodeURIComponent(unique('nowhere'))}`);
  },
  'no such page (404)': async ({ page, net }) => void (await page.goto(`${net.url}/nothing/here`)),
  'no name for a room (422)': async ({ page, net }) => void (await page.goto(`${net.url}/r/a%2Fb`)),
  'a message that came after the session (401)': async ({ page, net }) => {
    await page.goto(net.url);
    await postInVain(page, '/r/axe', 'kept');
  },
  'a message that the store did not take (503)': async ({ page }) => {
    const redis = await Redis.start();
    const server = await Server.start({ redis });
    try {
      await enter(page, server.url, unique('지우'), 'axe');
      await redis.stop('SIGKILL');
      await postInVain(page, '/r/axe', 'kept');
      await expect(page.locator('.lead')).toHaveAttribute('data-code', 'unavailable');
    } finally {
      await server.remove();
      await redis.remove();
    }
  },
  'offline page': async ({ page, net }) => void (await page.goto(`${net.url}/offline.html`)),
};

async function violations(page: Page): Promise<string[]> {
  const axe = new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']);
  // The checkbox that opens the drawer has to stand before everything that it shows.
  const found = (await axe.disableRules('region').analyze()).violations;
  return found.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join('; ')}`);
}

/** The list is looked at in English and light; the others are the same page with other words and colours. */
const looks = [
  { locale: 'en-GB', colours: { light: {}, 'forced colours': { forcedColors: 'active' } } },
  { locale: 'ko-KR', colours: { dark: { colorScheme: 'dark' } } },
] as const;

for (const { locale, colours } of looks) {
  test.describe(`${locale}, ${Object.keys(colours).join(' and ')}`, () => {
    // Colours halfway between two are not what is to be judged.
    test.use({ locale, contextOptions: { reducedMotion: 'reduce' } });
    for (const [name, open] of Object.entries(states)) {
      test(`axe finds nothing: ${name}`, async ({ page, server }) => {
        const net = await Proxy.before(server);
        try {
          await open({ page, server, net });
          for (const [look, media] of Object.entries(colours)) {
            await page.emulateMedia(media);
            expect(await violations(page), look).toEqual([]);
          }
        } finally {
          await page.close();
          await net.close();
        }
      });
    }
  });
}
