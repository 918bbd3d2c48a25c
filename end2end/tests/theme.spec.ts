import { enter, unique } from './support/people';
import { expect, test } from './support/test';

const background = () => getComputedStyle(document.body).backgroundColor;

for (const system of ['light', 'dark'] as const) {
  test(`the theme follows a ${system} system until one is chosen, from the first paint on`, async ({ page, server }) => {
    await page.emulateMedia({ colorScheme: system });
    await enter(page, server.url, unique('지우'), unique('theme'));
    const before = await page.evaluate(background);
    const other = system === 'light' ? 'Dark' : 'Light';
    await page.evaluate(() => Object.assign(window, { sameDocument: true }));
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('link', { name: other, exact: true }).click();
    await expect(page.locator('html')).toHaveAttribute('data-theme', other.toLowerCase());
    expect(await page.evaluate(() => 'sameDocument' in window)).toBe(true);
    await expect(page.getByRole('link', { name: other, exact: true })).toHaveAttribute('aria-current', 'true');
    const chosen = await page.evaluate(background);
    expect(chosen).not.toBe(before);

    // The server knows it from then on, and what is outside the page agrees.
    const html = await (await page.request.get(page.url())).text();
    expect(html).toContain(`data-theme="${other.toLowerCase()}"`);
    expect(html.match(/<meta name="color-scheme" content="(.*?)"/)?.[1]).toBe(other.toLowerCase());
    await page.reload();
    expect(await page.evaluate(background)).toBe(chosen);
    expect(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme)).toBe(other.toLowerCase());
    const bars = await page.locator('meta[name=theme-color]').evaluateAll((all) => all.map((meta) => meta.getAttribute('content')));
    expect(bars[0]).toBe(bars[1]);
  });
}

test.describe('without JavaScript', () => {
  test.use({ javaScriptEnabled: false });

  test('theme and language are links in the settings, which lead back', async ({ page, server }) => {
    await page.goto(`${server.url}/`);
    await page.getByRole('link', { name: 'Dark', exact: true }).click();
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
    await page.getByLabel('Name').fill(unique('지우'));
    await page.getByLabel('Room').fill(unique('plain'));
    await page.getByRole('button', { name: 'Join', exact: true }).click();
    const room = page.url();
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('link', { name: 'Light', exact: true }).click();
    await expect(page).toHaveURL(room);
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('link', { name: '한국어' }).click();
    await expect(page).toHaveURL(room);
    await expect(page.getByRole('button', { name: '설정' })).toBeVisible();
  });
});
