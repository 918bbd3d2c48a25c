import type { Page } from '@playwright/test';
import { committed, connected, field, texts, unique } from './support/people';
import { expect, test } from './support/test';

/** What has the focus, by the name it is told by, and whether the eye can find it. */
function focused(page: Page): Promise<{ name: string; seen: boolean }> {
  return page.evaluate(() => {
    const it = document.activeElement as HTMLElement;
    const label = 'labels' in it ? (it as HTMLInputElement).labels?.[0]?.innerText : undefined;
    // The frame around the field shows it, and the drawer is the button under its checkbox.
    const shows = (it.matches('textarea') && it.closest('.composer')) || (it.matches('.drawer') && document.querySelector('.menu')) || it;
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(shows);
    const ring = (outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1) || (shows !== it && boxShadow !== 'none');
    const box = shows.getBoundingClientRect();
    const inView = box.width > 1 && box.height > 1 && box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
    return { name: (it.getAttribute('aria-label') ?? (label || it.innerText)).replace(/[\u2066-\u2069]/g, '').trim(), seen: ring && inView };
  });
}

/** Goes there by the Tab key and nothing else. */
async function tabTo(page: Page, name: string, key = 'Tab'): Promise<void> {
  const passed: string[] = [];
  while ((await focused(page)).name !== name) {
    await page.keyboard.press(key);
    passed.push((await focused(page)).name);
    expect(passed.length, `${name} is not among ${passed}`).toBeLessThan(40);
  }
  expect(await focused(page)).toEqual({ name, seen: true });
}

test('from signing in to signing out, everything is done without a pointer', async ({ context, page, server }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const [me, first, second] = [unique('지우'), unique('first'), unique('second')];
  await page.goto(server.url);
  await tabTo(page, 'Dark');
  await page.keyboard.press('Enter');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await tabTo(page, 'Name');
  await page.keyboard.type(me);
  await tabTo(page, 'Room');
  await page.keyboard.type(first);
  await page.keyboard.press('Enter');
  await connected(page);
  await expect(field(page)).toBeFocused();
  await page.keyboard.type('by Enter');
  await page.keyboard.press('Enter');
  await page.keyboard.type('by the button');
  await tabTo(page, 'Send');
  await page.keyboard.press('Space');
  await expect.poll(() => committed(page)).toEqual(['by Enter', 'by the button']);

  await tabTo(page, 'Copy the link to this room', 'Shift+Tab');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('status')).toContainText('Link copied');
  await tabTo(page, 'Settings', 'Shift+Tab');
  await page.keyboard.press('Enter');
  await tabTo(page, 'Light');
  await page.keyboard.press('Enter');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
  await page.keyboard.press('Escape');
  await tabTo(page, 'Settings');

  await tabTo(page, 'All rooms');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(`${server.url}/rooms`);
  await tabTo(page, 'New room');
  await page.keyboard.type(second);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: second })).toBeVisible();
  await connected(page);
  await tabTo(page, first);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: first })).toBeVisible();
  await expect.poll(() => texts(page)).toEqual(['by Enter', 'by the button']);
  await tabTo(page, 'Room menu');
  await page.keyboard.press('Enter');
  await tabTo(page, 'Leave this room');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/rooms\?left=/);
  await tabTo(page, 'Undo');
  await tabTo(page, 'Sign out', 'Shift+Tab');
  await page.keyboard.press('Enter');
  await expect(page.locator('form[action="/signin"]')).toBeVisible();
});

for (const width of [320, 768, 1280]) {
  test(`whatever the Tab key comes to can be seen, ${width} px wide`, async ({ page, server }) => {
    await page.setViewportSize({ width, height: 700 });
    for (const path of ['/', '/rooms']) {
      await page.goto(server.url + path);
      await everyStop(page);
    }
    await page.goto(server.url);
    await page.locator('#name').fill(unique('지우'));
    await page.locator('#room').fill(unique('stops'));
    await page.locator('.go').press('Enter');
    await connected(page);
    const stops = await everyStop(page);
    expect(stops).toEqual(expect.arrayContaining(['Skip to writing', 'Messages', 'Copy the link to this room', 'Room menu', 'Write a message', 'Send']));
    expect(stops).toContain(width < 768 ? 'Rooms and people' : 'Sign out');
  });
}

/** All that the Tab key comes to, until it leaves the page. */
async function everyStop(page: Page): Promise<string[]> {
  await page.evaluate(() => {
    document.body.tabIndex = -1;
    document.body.focus();
  });
  const stops: string[] = [];
  const body = () => page.evaluate(() => document.activeElement === document.body);
  for (;;) {
    await page.keyboard.press('Tab');
    if ((await body()) || stops.length > 40) break;
    const { name, seen } = await focused(page);
    if (!seen) throw new Error(`the focus on “${name}” cannot be seen`);
    stops.push(name);
  }
  return stops;
}
