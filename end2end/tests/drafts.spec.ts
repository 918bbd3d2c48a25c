import type { Page } from '@playwright/test';
import { agree, alsoEnter, connected, enter, field, say, unique } from './support/people';
import { Proxy } from './support/proxy';
import { expect, test } from './support/test';

const drafts = (page: Page) =>
  page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('hubbub.draft.')).length);

test('a draft survives a reload and a session that ended, and nobody else finds it', async ({ context, page, server }) => {
  const [room, name] = [unique('draft'), unique('지우')];
  await enter(page, server.url, name, room);
  const url = page.url();
  await field(page).fill('반쯤 쓴');
  await expect.poll(() => drafts(page)).toBe(1);
  await page.reload();
  await connected(page);
  await expect(field(page)).toHaveValue('반쯤 쓴');

  // The session is gone without anybody signing out: the door stands where the room was.
  await context.clearCookies({ name: /.*/ });
  await page.goto(url);
  await expect(page.getByRole('button', { name: 'Join', exact: true })).toBeVisible();
  expect(await drafts(page)).toBe(1);

  const other = unique('하은');
  await enter(page, server.url, other, room);
  await expect(field(page)).toHaveValue('');
  expect(await drafts(page)).toBe(0);
});

test('signing out erases every draft, and so does sending', async ({ page, server }) => {
  const room = unique('erase');
  await enter(page, server.url, unique('지우'), room);
  await field(page).fill('보낼 것');
  await expect.poll(() => drafts(page)).toBe(1);
  await field(page).press('Enter');
  await expect.poll(() => drafts(page)).toBe(0);
  await field(page).fill('남길 것');
  await expect.poll(() => drafts(page)).toBe(1);
  const asked = agree(page);
  await page.getByRole('button', { name: 'Sign out' }).click();
  expect(await asked).toBe('A message has not been sent and will be lost. Sign out?');
  await expect(page.getByRole('button', { name: 'Join', exact: true })).toBeVisible();
  expect(await drafts(page)).toBe(0);
});

test('nothing that was written is lost by signing out without a question, wherever one does', async ({ page, server }) => {
  const [one, two] = [unique('one'), unique('two')];
  await enter(page, server.url, unique('지우'), one);
  await field(page).fill('in the first');
  await expect.poll(() => drafts(page)).toBe(1);
  await alsoEnter(page, server.url, two);
  const questions: string[] = [];
  page.on('dialog', (dialog) => {
    questions.push(dialog.message());
    void dialog.dismiss();
  });
  const signOut = page.getByRole('button', { name: 'Sign out' });
  await signOut.click();
  await field(page).fill('in the second');
  await expect.poll(() => drafts(page)).toBe(2);
  await signOut.click();
  await page.goto(`${server.url}/rooms`);
  await signOut.click();
  const many = '2 messages have not been sent and will be lost. Sign out?';
  expect(questions).toEqual(['A message has not been sent and will be lost. Sign out?', many, many]);
  await expect(page).toHaveURL(`${server.url}/rooms`);
  expect(await drafts(page)).toBe(2);
  // Another tab's, which waits.
  await page.evaluate(() => {
    localStorage.clear();
    const queue = [{ op: { message: { text: 'waits' } } }, { op: 'void' }];
    localStorage.setItem('hubbub.outbox.1.2', JSON.stringify({ rooms: [{ outboxes: [{ queue, failed: [] }] }] }));
  });
  await signOut.click();
  expect(questions.at(-1)).toBe('A message has not been sent and will be lost. Sign out?');
  await page.evaluate(() => localStorage.clear());
  await signOut.click();
  await expect(page.getByRole('button', { name: 'Join', exact: true })).toBeVisible();
  expect(questions).toHaveLength(4);
});

test('where nothing can be stored, drafts and settings last as long as the page, and leaving is asked about', async ({ page, server }) => {
  await page.addInitScript(() => {
    Storage.prototype.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
  });
  const [one, two] = [unique('one'), unique('two')];
  await enter(page, server.url, unique('지우'), one);
  await alsoEnter(page, server.url, two);
  await field(page).fill('여기만');
  await page.locator('.rooms').getByRole('link', { name: one }).click();
  await expect(field(page)).toHaveValue('');
  await page.locator('.rooms').getByRole('link', { name: two }).click();
  await expect(field(page)).toHaveValue('여기만');

  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('button', { name: 'Keyboard shortcuts' }).click();
  const help = page.locator('dialog#keys');
  await help.getByLabel('Open this list with the ? key').uncheck();
  await page.keyboard.press('Escape');
  await expect(help).toBeHidden();
  await page.locator('.log').focus();
  await page.keyboard.press('?');
  await page.getByRole('button', { name: 'Settings' }).click();
  await expect(help).toBeHidden();

  const asked = page.waitForEvent('dialog');
  const reloaded = page.reload();
  const dialog = await asked;
  expect(dialog.type()).toBe('beforeunload');
  await dialog.accept();
  await reloaded;
});

test('what was not sent when the session ends comes back into the field, before what stood there', async ({ page, server }) => {
  const proxy = await Proxy.before(server);
  try {
    const name = unique('지우');
    await enter(page, proxy.url, name, unique('ended'));
    const other = await page.context().newPage();
    await other.goto(`${proxy.url}/rooms`);
    proxy.cut();
    await say(page, 'one');
    await say(page, 'two');
    await expect(page.locator('.pending')).toHaveCount(2);
    await field(page).fill('half a thought');
    void agree(other);
    await other.locator('form[action="/signout"] button').click();
    await expect(other.locator('form[action="/signin"]')).toBeVisible();
    proxy.restore();
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await expect(page.locator('#again')).toBeVisible({ timeout: 15_000 });
    await expect(field(page)).toHaveValue('one\ntwo\nhalf a thought');
    await expect(page.locator('.pending')).toHaveCount(0);
    // There is nobody to send it for.
    await field(page).press('Control+Enter');
    await expect(field(page)).toHaveValue('one\ntwo\nhalf a thought');
    await page.locator('#again button').click();
    await connected(page);
    await expect(field(page)).toHaveValue('one\ntwo\nhalf a thought');
  } finally {
    await proxy.close();
  }
});

test('a session that merely ended takes no draft away, wherever one comes in again', async ({ page, server }) => {
  const [name, room] = [unique('지우'), unique('lapsed')];
  await enter(page, server.url, name, room);
  await field(page).fill('half a thought');
  await page.context().clearCookies({ name: /hubbub/ });
  await page.goto(`${server.url}/`);
  await expect(page.locator('form[action="/signin"]')).toBeVisible();
  const kept = await page.evaluate(() => Object.entries(localStorage).filter(([key]) => key.startsWith('hubbub.draft.')));
  expect(kept.map(([, text]) => text)).toEqual(['half a thought']);
});

test('what was not sent when the session ended without this browser comes back to the same name', async ({ context, page, server }) => {
  const proxy = await Proxy.before(server);
  try {
    const [name, room] = [unique('지우'), unique('gone')];
    await enter(page, proxy.url, name, room);
    proxy.cut();
    await say(page, 'one');
    await say(page, 'two');
    await expect(page.locator('.pending')).toHaveCount(2);
    await page.close();
    proxy.restore();
    expect((await context.request.post(`${proxy.url}/signout`)).ok()).toBe(true);

    const again = await context.newPage();
    await again.goto(proxy.url);
    await enter(again, proxy.url, name, room);
    await expect(field(again)).toHaveValue('one\ntwo');
    expect(await again.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('hubbub.outbox.')))).toEqual([]);
  } finally {
    await proxy.close();
  }
});
