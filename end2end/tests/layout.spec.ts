import type { Page } from '@playwright/test';
import { committed, connected, enter, field, signIn, unique } from './support/people';
import { refuseMessages } from './support/refuse';
import { expect, test } from './support/test';

/** No page is wider than the window, and nothing that can be pressed is smaller than it may be. */
async function fits(page: Page, least: number): Promise<void> {
  const found = await page.evaluate((least) => {
    const wide = [document.documentElement, document.querySelector('.log')].filter((it) => it && it.scrollWidth > it.clientWidth + 1);
    const small = [...document.querySelectorAll<HTMLElement>('button, input:not([type=hidden]), textarea, label.icon, .rooms a, a.older, a.at, .side h2 a, .banner a')]
      .filter((it) => it.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
      .map((it) => [it.outerHTML.slice(0, 80), it.getBoundingClientRect()] as const)
      // What only a screen reader finds is a pixel; what is beside the window is not pressed.
      .filter(([, box]) => box.width > 1 && box.right > 0 && (box.width < least || box.height < least))
      .map(([html, box]) => `${html}: ${Math.round(box.width)} × ${Math.round(box.height)}`);
    return [...wide.map((it) => `${it!.className || it!.tagName} is ${it!.scrollWidth} wide`), ...small];
  }, least);
  expect(found).toEqual([]);
}

for (const { width, height, touch } of [
  { width: 320, height: 640, touch: true },
  { width: 768, height: 1024, touch: true },
  { width: 1280, height: 800, touch: false },
]) {
  test.describe(`${width} px wide`, () => {
    test.use({ viewport: { width, height }, hasTouch: touch, isMobile: touch });
    const least = touch ? 44 : 24;

    test('every page fits, and what is to be pressed is large enough', async ({ page, server }) => {
      await page.goto(server.url);
      await fits(page, least);
      await page.locator('.go').click();
      await fits(page, least);
      await enter(page, server.url, unique('지우'), unique('아주 아주 긴 방 이름이라도 자리를 지켜요'));
      await fits(page, least);
      const words = [`https://example.com/${'a'.repeat(300)}`, '가'.repeat(4_000), 'W'.repeat(4_000)];
      for (const word of words) {
        await page.locator('#text').fill(word);
        await fits(page, least);
        // Enter breaks the line on a touch keyboard.
        await page.locator('.send').click();
      }
      await expect.poll(() => committed(page)).toEqual(words);
      await fits(page, least);
      await page.goto(`${server.url}/rooms`);
      await fits(page, least);
      await page.goto(`${server.url}/nothing`);
      await fits(page, least);
    });

    test('what belongs to one message is large enough to be pressed', async ({ page, server }) => {
      const room = unique('buttons');
      await signIn(page, server.url, unique('지우'), room);
      for (const n of [1, 2]) {
        await page.request.post(page.url(), { form: { text: `${n}`, p: '00000000000000ab', n: `${n}` }, maxRedirects: 0 });
      }
      await refuseMessages(page);
      await page.reload();
      await connected(page);
      await field(page).fill('never arrives');
      await page.locator('.send').click();
      await expect(page.locator('.fate button')).toHaveCount(2);
      await fits(page, least);
      const second = page.locator('.m[data-seq]').nth(1);
      if (touch) await second.tap();
      else await second.hover();
      await expect(second.locator('.copy')).toBeVisible();
      await expect(second.locator('a.at')).toHaveCSS('opacity', '1');
      await fits(page, least);
    });

    test('the sidebar stands beside the room or is a drawer over it', async ({ page, server }) => {
      await enter(page, server.url, unique('지우'), unique('layout'));
      const side = page.locator('.side');
      if (width >= 768) {
        expect(await side.boundingBox()).toMatchObject({ x: 0, width: 260, height });
        const room = (await page.locator('main.room').boundingBox())!;
        expect(room.x).toBe(260);
      } else {
        await expect(side).not.toBeInViewport();
        await page.locator('.head .menu').click();
        await expect(side).toBeInViewport();
        await page.keyboard.press('Escape');
        await expect(side).not.toBeInViewport();
      }
      // The composer is at the bottom, whole, whatever the height.
      const composer = (await page.locator('.composer').boundingBox())!;
      expect(composer.y + composer.height).toBeLessThanOrEqual(height);
    });

    test('fields do not make a phone zoom, lines stay short, and an empty room says what to do next', async ({ page, server }) => {
      const size = (it: Element) => parseFloat(getComputedStyle(it).fontSize);
      await page.goto(server.url);
      const sizes = await page.locator('#name, #room').evaluateAll((all) => all.map((it) => parseFloat(getComputedStyle(it).fontSize)));
      await enter(page, server.url, unique('지우'), unique('measure'));
      sizes.push(await page.locator('#text').evaluate(size));
      if (width < 768) expect(Math.min(...sizes)).toBeGreaterThanOrEqual(16);
      await expect(page.locator('.log')).toContainText('Say hello, or send someone the link to this room.');
      await page.locator('#text').fill('a fairly ordinary word '.repeat(20));
      await page.locator('.send').click();
      await expect(page.locator('.log [data-seq] .text')).toBeVisible();
      await expect(page.locator('.log')).not.toContainText('Say hello');
      const measured = await page.locator('.log').evaluate((log) => {
        const text = log.querySelector<HTMLElement>('.text')!;
        const box = text.getBoundingClientRect();
        text.style.maxWidth = '72ch';
        return [box.width - text.getBoundingClientRect().width, box.right - log.getBoundingClientRect().right];
      });
      expect(Math.max(...measured)).toBeLessThanOrEqual(0);
      expect(await page.locator('.log .av').boundingBox()).toMatchObject({ width: 36, height: 36 });
    });

    test('without the script the page stands at the newest message', async ({ browser, server, page }) => {
      await signIn(page, server.url, unique('지우'), unique('first paint'));
      for (let n = 1; n <= 60; n++) {
        const form = { text: `line ${n}`, p: n.toString(16).padStart(16, '0'), n: '1' };
        await page.request.post(page.url(), { form, maxRedirects: 0 });
      }
      const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width, height } });
      await context.addCookies(await page.context().cookies());
      const plain = await context.newPage();
      await plain.goto(page.url());
      await expect(plain.getByText('line 60', { exact: true })).toBeInViewport({ ratio: 1 });
      await context.close();
    });
  });
}

test('the composer grows with its text to a third of the window, and zooming is never forbidden', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('tall'));
  const field = page.locator('#text');
  for (const [width, height] of [[320, 640], [768, 1024], [1280, 800]] as const) {
    await page.setViewportSize({ width, height });
    await field.fill('');
    const one = (await field.boundingBox())!.height;
    await field.fill('a\nb\nc');
    expect((await field.boundingBox())!.height).toBeGreaterThan(one + 20);
    await field.fill('line\n'.repeat(200));
    expect((await page.locator('.composer').boundingBox())!.height).toBeLessThanOrEqual(height / 3 + 24);
    await expect(page.locator('.send')).toBeInViewport({ ratio: 1 });
  }
  const viewport = (await page.locator('meta[name=viewport]').getAttribute('content'))!;
  expect(viewport).not.toMatch(/user-scalable|maximum-scale/);
  expect(viewport).toContain('interactive-widget=resizes-content');
});

for (const reducedMotion of ['reduce', 'no-preference'] as const) {
  test(`what moves on the page moves only where motion is welcome: ${reducedMotion}`, async ({ page, server }) => {
    await page.emulateMedia({ reducedMotion });
    await page.setViewportSize({ width: 320, height: 640 });
    await enter(page, server.url, unique('지우'), unique('motion'));
    const moving = await page.evaluate(() => {
      document.querySelector<HTMLElement>('.head .menu')!.click();
      return document.getAnimations().length;
    });
    await expect(page.locator('.side')).toBeInViewport({ ratio: 1 });
    expect(moving > 0).toBe(reducedMotion === 'no-preference');
  });
}
