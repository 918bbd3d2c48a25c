import type { Page } from '@playwright/test';
import { Writer } from './support/crowd';
import { alsoEnter, committed, connected, enter, field, say, texts, unique } from './support/people';
import { refuseMessages } from './support/refuse';
import { expect, test } from './support/test';

/** From the next page on, nothing that the server says arrives between the first call and the second. */
async function holdable(page: Page): Promise<() => void> {
  let held: (() => void)[] | undefined;
  await page.routeWebSocket('**/ws', (socket) => {
    const server = socket.connectToServer();
    server.onMessage((message) => (held ? held.push(() => socket.send(message)) : socket.send(message)));
  });
  return () => {
    const release = held;
    held = held ? undefined : [];
    for (const send of release ?? []) send();
  };
}

interface Frame {
  /** How many messages with this text there are. */
  count: number;
  /** Where the last of them is, and where the list begins above it. */
  y: number;
  top: number;
}

/** How each frame from now on shows a message with this text, once there is one. */
async function watch(page: Page, text: string): Promise<() => Promise<Frame[]>> {
  await page.evaluate((text) => {
    const frames: Frame[] = [];
    Object.assign(window, { frames });
    const y = (it?: Element | null) => it?.getBoundingClientRect().y ?? -1;
    const look = () => {
      const found = [...document.querySelectorAll('.log .text')].filter((it) => it.textContent === text);
      const frame = { count: found.length, y: y(found.at(-1)), top: y(document.querySelector('.log .title')) };
      if (found.length || frames.length) frames.push(frame);
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, text);
  return () => page.evaluate(() => (window as unknown as { frames: Frame[] }).frames);
}

test('a message is there at once, faint until acknowledged, and then stands in its place without a flicker', async ({ page, browser, server }) => {
  const room = unique('at once');
  const writer = await Writer.in(browser, server.url, unique('Megan'), room);
  const toggle = await holdable(page);
  await enter(page, server.url, unique('지우'), room);
  for (const text of ['first of the day', 'joins the one above', 'first of its group']) {
    if (text === 'first of its group') {
      await writer.write(['hello']);
      await expect(page.locator('.log')).toContainText('hello');
    }
    const frames = await watch(page, text);
    const row = page.locator('.log .m').filter({ hasText: text });
    const colour = () => row.locator('.text').evaluate((it) => getComputedStyle(it).color);
    toggle();
    await say(page, text);
    await expect(row).toHaveClass(/pending/);
    const faint = await colour();
    toggle();
    await expect(row).toHaveAttribute('data-seq');
    await expect(row).not.toHaveClass(/pending/);
    expect(await colour()).not.toBe(faint);
    const seen = await frames();
    // One more frame than those that showed it coming.
    await expect.poll(async () => (await frames()).length).toBeGreaterThan(seen.length);
    const all = await frames();
    expect(new Set(all.map(({ count }) => count))).toEqual(new Set([1]));
    for (const what of ['y', 'top'] as const) {
      const places = all.map((frame) => frame[what]);
      expect(Math.max(...places) - Math.min(...places), `${what} of ${text}`).toBeLessThanOrEqual(1);
    }
  }
  await writer.leave();
});

for (const { locale, why, retry, discard } of [
  { locale: 'en-GB', why: "Not sent: the server did not answer.", retry: 'Retry', discard: 'Discard' },
  { locale: 'ko-KR', why: '서버가 잠시 응답하지 않아 보내지 못했습니다.', retry: '다시 보내기', discard: '보내지 않기' },
]) {
  test.describe(locale, () => {
    test.use({ locale });
    test('what could not be sent says why, and is sent again or discarded by the keyboard', async ({ page, server }) => {
      const relent = await refuseMessages(page);
      await enter(page, server.url, unique('지우'), unique('refused'));
      for (const text of ['one', 'two', 'three']) await say(page, text);
      const failed = page.locator('.failed');
      await expect(failed).toHaveCount(3);
      await expect(failed.filter({ hasText: 'two' })).toContainText(why);
      // It is still there on a fresh page.
      await page.reload();
      await connected(page);
      await expect(failed).toHaveCount(3);
      await failed.filter({ hasText: 'two' }).getByRole('button', { name: discard }).press('Enter');
      await expect(failed).toHaveCount(2);
      // The button that had the focus is gone with its row.
      await expect(field(page)).toBeFocused();
      relent();
      for (const text of ['three', 'one']) {
        await failed.filter({ hasText: text }).getByRole('button', { name: retry }).press('Enter');
        await expect.poll(() => committed(page)).toContain(text);
        await expect(field(page)).toBeFocused();
      }
      await say(page, 'four');
      await expect.poll(() => committed(page)).toEqual(['three', 'one', 'four']);
      await page.reload();
      await connected(page);
      expect(await texts(page)).toEqual(['three', 'one', 'four']);
      await expect(field(page)).toHaveValue('');
    });
  });
}

test('a message that is refused in another room than the one on screen is told of, and not lost by signing out', async ({ page, server }) => {
  const [one, two] = [unique('one'), unique('two')];
  let refuse = () => {};
  await refuseMessages(page, new Promise((resolve) => (refuse = resolve)));
  await enter(page, server.url, unique('지우'), one);
  await alsoEnter(page, server.url, two);
  const line = page.locator('.rooms a').filter({ hasText: two });
  await say(page, 'never arrives');
  await page.locator('.rooms a').filter({ hasText: one }).click();
  await expect(page.getByRole('heading', { name: one })).toBeVisible();
  await expect(line).toHaveAccessibleName(two);
  refuse();
  await expect(line).toHaveAccessibleName(/A message was not sent/);
  await expect(page.locator('[role=status][aria-live=polite]')).toContainText('A message was not sent');
  // On a phone the menu is all there is to tell it.
  await expect(page.locator('.drawer')).toHaveAttribute('aria-label', 'Rooms and people, A message was not sent');
  await expect(page.locator('.head .menu')).toHaveClass(/unread/);

  const asked: string[] = [];
  const answer = (yes: boolean) =>
    page.once('dialog', (dialog) => {
      asked.push(dialog.message());
      void (yes ? dialog.accept() : dialog.dismiss());
    });
  answer(false);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await line.click();
  await expect(page.locator('.failed .text')).toHaveText('never arrives');
  await page.locator('.log').focus();
  await page.keyboard.press('ArrowUp');
  await expect(page.locator('.failed')).toBeFocused();
  await expect(page.locator('.failed')).toHaveAccessibleName(/지우.* never arrives .*Not sent/);
  await page.getByRole('button', { name: 'Discard' }).click();
  await expect(line).toHaveAccessibleName(two);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.locator('form[action="/signin"]')).toBeVisible();
  expect(asked).toEqual(['A message has not been sent and will be lost. Sign out?']);
});
