import { enter, field, tell, unique } from './support/people';
import { expect, test } from './support/test';

test.use({ hasTouch: true, isMobile: true, viewport: { width: 390, height: 780 } });

test('a tap on a message brings what can be done with it, over nothing that was written', async ({ context, page, server }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await enter(page, server.url, unique('지우'), unique('tap'));
  for (const text of ['the first message, whose text goes on to the right end', 'the second one, which is\nof two lines']) {
    await field(page).fill(text);
    await page.locator('.send').click();
    await expect(page.locator('.log [data-seq] .text').last()).toHaveText(text);
  }
  const second = page.locator('[data-seq="2"]');
  const before = await second.boundingBox();
  await second.locator('.text').tap();
  const tools = page.locator('.tools');
  await expect(tools).toBeVisible();
  await expect(second.locator('a.at')).toHaveCSS('opacity', '1');
  expect(await second.boundingBox(), 'nothing moves').toEqual(before);
  const covered = await page.evaluate(() => {
    const over = document.querySelector('.tools')!.getBoundingClientRect();
    const texts = [...document.querySelectorAll('.log .text, .log .by, .day')];
    return texts.filter((it) => {
      const box = it.getBoundingClientRect();
      return box.bottom > over.top && box.top < over.bottom && box.right > over.left && box.left < over.right;
    }).length;
  });
  expect(covered).toBe(0);
  const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
  await tools.getByRole('button', { name: 'Copy text' }).tap();
  expect(await clipboard()).toBe('the second one, which is\nof two lines');
  await expect(page.getByRole('status')).toContainText('Text copied');
  await tools.getByRole('button', { name: 'Copy link' }).tap();
  expect(await clipboard()).toBe(`${page.url()}/2`);
  // Beside the text, where its link is that nobody sees: a tap there is one on the message.
  await page.locator('[data-seq="1"] .text').tap();
  await second.tap({ position: { x: 20, y: 10 } });
  await expect(second.locator('.tools')).toBeVisible();
  await expect(page).not.toHaveURL(/\/2$/);
  // They go to another message, and away.
  await page.locator('[data-seq="1"] .text').tap();
  await expect(page.locator('[data-seq="1"] .tools')).toBeVisible();
  await page.locator('[data-seq="1"] .text').tap();
  await expect(tools).toHaveCount(0);
  await second.tap();
  await tools.getByRole('button', { name: 'Close' }).tap();
  await expect(tools).toHaveCount(0);
  await second.tap();
  await expect(tools).toBeVisible();
  await field(page).tap();
  await expect(tools).toHaveCount(0);
});

test('with a pointer the text of a message is copied by the button beside its link', async ({ browser, server }) => {
  const context = await browser.newContext({ hasTouch: false, isMobile: false, permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await context.newPage();
  await enter(page, server.url, unique('지우'), unique('pointer'));
  await tell(page, 'to be copied\nwith its lines');
  await page.locator('[data-seq="1"]').hover();
  await page.getByRole('button', { name: 'Copy text' }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('to be copied\nwith its lines');
  await context.close();
});
