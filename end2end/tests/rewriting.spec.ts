import type { Browser, Page } from '@playwright/test';
import { allRead, alsoEnter, committed, connectNow, connected, enter, field, postByForm, say, tell, unique } from './support/people';
import { Proxy } from './support/proxy';
import { cutComments, extend, hideAddresses, hideAddressesEverywhere, Rewriter, translate } from './support/rewriters';
import { holdScript } from './support/script';
import type { Server } from './support/server';
import { expect, test } from './support/test';

// A worker would answer with a script that it has kept.
test.use({ serviceWorkers: 'block' });

interface Scene {
  page: Page;
  other: Page;
  net: Proxy;
  way: Rewriter;
  /** The room on screen, and another one of the same person's. */
  here: string;
  there: string;
  /** What stands in it. */
  said: string[];
}

/** Two people in a room, one of whom is in another one as well and looks at it through a network that can be cut. */
async function scene(page: Page, browser: Browser, server: Server): Promise<Scene> {
  const net = await Proxy.before(server);
  const way = await Rewriter.before(net);
  const [here, there] = [unique('here'), unique('there')];
  await enter(page, way.url, unique('지우'), there);
  await alsoEnter(page, way.url, here);
  const other = await (await browser.newContext()).newPage();
  await enter(other, server.url, unique('Megan'), here);
  const said = ['write to kim@example.com <today>', '점심 https://example.com/a?b=1&c=2'];
  for (const text of said) await tell(other, text);
  await expect.poll(() => committed(page)).toEqual(said);
  return { page, other, net, way, here, there, said };
}

const heading = (page: Page) => page.locator('.head h1');

/** What has to be true of a page whatever was done to it. */
async function tellsTheTruth({ page, other, net, here, there, said }: Scene): Promise<void> {
  await connected(page);
  await expect(page.locator('.stopped')).toBeHidden();
  // Until it changes, a translator that heeds nothing may have its way with a word.
  await expect(page.locator('.me .state')).toHaveText(/^«?Connected»?$/);
  // Messages come and go, each once.
  await tell(other, 'one');
  await expect(page.locator('.log .text').last()).toHaveText('one');
  await say(page, 'two');
  await expect.poll(() => committed(other)).toEqual([...said, 'one', 'two']);
  await expect(field(page)).toHaveValue('');
  await expect(page.locator('.log .m')).toHaveCount(said.length + 2);
  // Counts.
  await expect(page.locator('.head .meta')).toHaveText(/^«?2 people»?$/);
  await other.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.locator('.head .meta')).toHaveText('1 person', { timeout: 15_000 });
  await expect(page.locator('.side h2').last()).toContainText(/1$/);
  // Rooms: what is written goes where the heading says. (What was not in view for a second is still unread elsewhere.)
  await allRead(page);
  await page.locator('.rooms a').filter({ hasText: there }).click();
  await expect(heading(page)).toHaveText(there);
  await expect(page.locator('.start .title')).toContainText(there);
  await expect(page).toHaveTitle(`${there} · Hubbub`);
  await say(page, 'three');
  await expect.poll(() => committed(page)).toEqual(['three']);
  await page.locator('.rooms a').filter({ hasText: here }).click();
  await expect(heading(page)).toHaveText(here);
  await expect(page.locator('.log .m')).toHaveCount(said.length + 2);
  await switchesAsItSays(page, here, there);
  // The connection.
  net.cut();
  await expect(page.locator('.me .state')).toHaveText('Not connected', { timeout: 15_000 });
  await expect(page.locator('.mid .banner')).toContainText('Trying again');
  net.restore();
  await connectNow(page);
  await expect(page.locator('.me .state')).toHaveText('Connected', { timeout: 15_000 });
  await expect(page.locator('.mid .banner')).toHaveCount(0);
}

/** The switcher, whose names are exchanged as somebody types. */
async function switchesAsItSays(page: Page, here: string, there: string): Promise<void> {
  const options = page.getByRole('option');
  await field(page).press('Control+k');
  await expect(options.filter({ hasText: there })).toBeVisible();
  if (await page.locator('font').count()) await translate(page, true);
  for (const name of [here, there]) {
    await page.getByRole('combobox').fill(name);
    await expect(options).toHaveText([name]);
  }
  await page.keyboard.press('Enter');
  await expect(heading(page)).toHaveText(there);
  await field(page).press('Control+k');
  await page.getByRole('combobox').fill('nothing of the kind');
  await page.getByRole('combobox').fill('nothing at all');
  await expect(page.getByRole('button', { name: /^Create .*nothing at all/ })).toBeVisible();
  await page.keyboard.press('Escape');
  await page.locator('.rooms a').filter({ hasText: here }).click();
  await expect(heading(page)).toHaveText(here);
}

interface Case {
  who: string;
  /** What happens on the way, or to the page as it stands. */
  way?: (html: string) => string;
  does?: (page: Page) => Promise<void>;
  when: 'on the way' | 'before the script' | 'after it';
  /** Whether the page that the server made cannot be gone on with. */
  anew: boolean;
  /** Whether what was written before is to be read as it was written. */
  asWritten: boolean;
}

const cases: Case[] = [
  { who: 'nobody', when: 'on the way', anew: false, asWritten: true },
  { who: 'a translator that heeds translate="no"', does: (page) => translate(page, true), when: 'before the script', anew: true, asWritten: true },
  { who: 'a translator that heeds nothing', does: (page) => translate(page, false), when: 'before the script', anew: true, asWritten: true },
  { who: 'a translator that heeds translate="no"', does: (page) => translate(page, true), when: 'after it', anew: false, asWritten: false },
  { who: 'a translator that heeds nothing', does: (page) => translate(page, false), when: 'after it', anew: false, asWritten: false },
  { who: 'a proxy that hides addresses', way: hideAddresses, when: 'on the way', anew: true, asWritten: true },
  { who: 'a filter that hides addresses everywhere', way: hideAddressesEverywhere, when: 'on the way', anew: true, asWritten: true },
  { who: 'a proxy that cuts comments', way: cutComments, when: 'on the way', anew: true, asWritten: true },
  { who: 'an extension', does: extend, when: 'before the script', anew: true, asWritten: true },
  { who: 'an extension', does: extend, when: 'after it', anew: false, asWritten: true },
];

for (const { who, way, does, when, anew, asWritten } of cases) {
  test(`a page that is rewritten by ${who} ${when} tells the truth`, async ({ page, browser, server }) => {
    // That somebody is gone is known after some seconds, and so is that the connection is.
    test.slow();
    const it = await scene(page, browser, server);
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    if (way) it.way.change = way;
    if (when === 'before the script') {
      const release = await holdScript(page);
      await page.reload({ waitUntil: 'commit' });
      await page.waitForLoadState('domcontentloaded');
      await does?.(page);
      await field(page).fill('half a thought');
      release();
      await connected(page);
      // Nobody has to type it again.
      await expect(field(page)).toHaveValue('half a thought');
      await expect(field(page)).toBeFocused();
      await field(page).fill('');
    } else {
      await page.reload();
      await connected(page);
      if (when === 'after it') await does?.(page);
    }
    await expect(page.locator('html[data-anew]')).toHaveCount(anew ? 1 : 0);
    if (asWritten) expect(await committed(page)).toEqual(it.said);
    await tellsTheTruth(it);
    expect(errors).toEqual([]);
    it.way.close();
    await it.net.close();
    await it.other.context().close();
  });
}

test('what extensions put beside the app, and attributes anywhere, are no reason to make it anew', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('beside'));
  await tell(page, 'hello');
  const release = await holdScript(page);
  await page.reload({ waitUntil: 'commit' });
  await page.waitForLoadState('domcontentloaded');
  await page.evaluate(() => {
    document.body.prepend(document.createElement('x-toolbar'));
    document.body.append(document.createElement('x-panel'));
    document.querySelectorAll('*').forEach((it) => it.setAttribute('data-x-seen', 'true'));
  });
  release();
  await connected(page);
  await expect(page.locator('html')).not.toHaveAttribute('data-anew');
  await tell(page, 'still here');
  expect(await committed(page)).toEqual(['hello', 'still here']);
});

test('a hydration that breaks all the same starts anew, with one socket', async ({ page, server }) => {
  const way = await Rewriter.before(server);
  await enter(page, way.url, unique('지우'), unique('broken'));
  await tell(page, 'hello');
  let sockets = 0;
  page.on('websocket', () => sockets++);
  // The page takes itself for untouched.
  way.change = (html) => cutComments(html).replace('sum >>> 0 == live.dataset.sum', 'true');
  await page.reload();
  await connected(page);
  await expect(page.locator('html')).toHaveAttribute('data-anew');
  await tell(page, 'still here');
  expect(await committed(page)).toEqual(['hello', 'still here']);
  expect(sockets).toBe(1);
  way.close();
});

test('an interface is not translated, and what people write is', async ({ page, server }) => {
  const [name, room] = [unique('May'), unique('March')];
  await enter(page, server.url, name, room);
  await tell(page, 'bonjour');
  await translate(page, true);
  await expect(page.locator('.log .text')).toHaveText('«bonjour»');
  for (const part of ['.head', '.side', '.foot', '.by', '.jump']) await expect(page.locator(part).first()).not.toContainText('«');
});

test('what is copied is what was written, whatever the screen shows', async ({ context, page, server }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await enter(page, server.url, unique('지우'), unique('copied'));
  await tell(page, 'bonjour');
  await translate(page, true);
  await expect(page.locator('.log .text')).toHaveText('«bonjour»');
  await page.locator('[data-seq="1"]').hover();
  await page.locator('.tools .all').click();
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe('bonjour');
});

test('what the server could not take is still in the field of a page that is made anew', async ({ page, server }) => {
  const way = await Rewriter.before(server);
  await enter(page, way.url, unique('지우'), unique('refused'));
  way.change = cutComments;
  await postByForm(page, new URL(page.url()).pathname, 'x'.repeat(4_001));
  await expect(page.locator('html[data-anew]')).toBeAttached({ timeout: 15_000 });
  await connected(page);
  await expect(field(page)).toHaveValue('x'.repeat(4_001));
  way.close();
});

test.describe('a page whose script broke', () => {
  /** A real one: the module is made to take a page over that is none of its own. */
  async function breakScript(page: Page): Promise<void> {
    await page.evaluate(() => {
      const script = document.querySelector<HTMLLinkElement>('link[rel=modulepreload]')!.href;
      document.querySelector('#live')!.prepend(document.createElement('x-break'));
      void import(script).then((module: { hydrate: () => void }) => module.hydrate());
    });
    await expect(page.locator('html')).toHaveAttribute('data-script', 'stopped');
  }

  test('says so, in words, and how to go on', async ({ page, server }) => {
    await enter(page, server.url, unique('지우'), unique('stopped'));
    await field(page).fill('half a thought');
    await breakScript(page);
    const banner = page.getByRole('alert').filter({ hasText: 'This page has stopped' });
    await expect(banner).toBeVisible();
    await expect(page.locator('.me .state')).toHaveText('Stopped');
    await expect(page.locator('.banner:visible')).toHaveCount(0);
    await banner.getByRole('link', { name: 'Reload' }).click();
    await connected(page);
    await expect(page.locator('.stopped')).toBeHidden();
    await expect(field(page)).toHaveValue('half a thought');
  });

  test('still sends: by Enter as by the button, each once', async ({ page, server }) => {
    await enter(page, server.url, unique('지우'), unique('stopped'));
    for (const [n, send] of [() => field(page).press('Enter'), () => page.getByRole('button', { name: 'Send', exact: true }).click()].entries()) {
      await breakScript(page);
      await field(page).fill(`message ${n}`);
      await send();
      await connected(page);
      await expect(field(page)).toHaveValue('');
    }
    await expect.poll(() => committed(page)).toEqual(['message 0', 'message 1']);
  });

  test('offers nothing that does nothing, and leaves the room that is on screen', async ({ page, server }) => {
    const [one, two] = [unique('one'), unique('two')];
    await enter(page, server.url, unique('지우'), one);
    await alsoEnter(page, server.url, two);
    await page.locator('.rooms a').filter({ hasText: one }).click();
    await expect(heading(page)).toHaveText(one);
    await breakScript(page);
    await expect(page.locator('.jump')).toBeHidden();
    await page.getByRole('button', { name: 'Room menu' }).click();
    await page.getByRole('button', { name: 'Leave this room' }).click();
    await expect(page.locator('.toast')).toContainText(one);
  });

  test('leads to other rooms by their links, and back', async ({ page, server }) => {
    const [one, two] = [unique('one'), unique('two')];
    await enter(page, server.url, unique('지우'), one);
    await alsoEnter(page, server.url, two);
    await breakScript(page);
    await page.locator('.rooms a').filter({ hasText: one }).click();
    await connected(page);
    await expect(heading(page)).toHaveText(one);
    await page.locator('.rooms a').filter({ hasText: two }).click();
    await expect(heading(page)).toHaveText(two);
    await breakScript(page);
    await page.goBack();
    await connected(page);
    await expect(heading(page)).toHaveText(one);
  });
});

test('the data of a page is for those who may see the page', async ({ page, playwright, server }) => {
  await enter(page, server.url, unique('지우'), unique('data'));
  await tell(page, 'a secret');
  const headers = { accept: 'application/json' };
  const mine = await page.request.get(page.url(), { headers });
  expect(mine.headers()['content-type']).toBe('application/json');
  expect(mine.headers()['cache-control']).toContain('no-store');
  expect(await mine.text()).toContain('a secret');
  const stranger = await playwright.request.newContext();
  expect(await (await stranger.get(page.url(), { headers })).text()).not.toContain('a secret');
  await stranger.dispose();
});
