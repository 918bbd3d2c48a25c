import { committed, connected, enter, field, signIn, texts, unique } from './support/people';
import { holdScript } from './support/script';
import { expect, test } from './support/test';

test.describe('with JavaScript off', () => {
  test.use({ javaScriptEnabled: false });

  test('one can sign in, read, post, page back and sign out', async ({ page, server }) => {
    const room = unique('plain');
    await signIn(page, server.url, unique('지우'), room);
    for (let n = 1; n <= 3; n++) {
      await field(page).fill(`message ${n}`);
      await page.getByRole('button', { name: 'Send' }).click();
      await expect(page.locator('.log')).toContainText(`message ${n}`);
    }
    expect(await committed(page)).toEqual(['message 1', 'message 2', 'message 3']);
    await page.getByRole('link', { name: 'All rooms' }).click();
    await page.getByRole('link', { name: room }).first().click();
    expect(await committed(page)).toEqual(['message 1', 'message 2', 'message 3']);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await expect(page.getByLabel('Name')).toBeVisible();
  });

  test('the page stands at the newest message and older ones are a link away', async ({ page, server }) => {
    const room = unique('long');
    await signIn(page, server.url, unique('지우'), room);
    for (let n = 1; n <= 60; n++) {
      const form = { text: `line ${n}`, p: n.toString(16).padStart(16, '0'), n: '1' };
      await page.request.post(page.url(), { form, maxRedirects: 0 });
    }
    await page.reload();
    await expect(page.getByText('line 60', { exact: true })).toBeInViewport();
    await page.getByRole('link', { name: 'Older messages' }).click();
    expect((await texts(page)).at(0)).toBe('line 1');
    await page.getByRole('link', { name: 'Jump to latest' }).click();
    await expect(page.getByText('line 60', { exact: true })).toBeInViewport();
  });

  test('a refused form keeps what was typed', async ({ page, server }) => {
    await page.goto(server.url);
    await page.getByLabel('Name').fill('지우');
    await page.getByLabel('Room').fill('..');
    await page.getByRole('button', { name: 'Join', exact: true }).click();
    await expect(page.getByLabel('Name')).toHaveValue('지우');
    await expect(page.getByLabel('Room')).toHaveValue('..');
    await expect(page.locator('#room-problem')).toHaveAttribute('data-code', 'room_invalid');
  });

  test('a message that is too long is refused with the limit, kept, and can be mended', async ({ page, server }) => {
    await signIn(page, server.url, unique('지우'), unique('too long'));
    const text = `${'a'.repeat(4_001)}\nend`;
    await field(page).fill(text);
    const answer = page.waitForResponse((response) => response.request().method() === 'POST');
    await page.getByRole('button', { name: 'Send' }).click();
    expect((await answer).status()).toBe(422);
    await expect(page.locator('#text-problem')).toContainText('4,000');
    await expect(field(page)).toHaveValue(text);
    await field(page).fill('short enough');
    await page.getByRole('button', { name: 'Send' }).click();
    await expect(page.locator('.log')).toContainText('short enough');
    expect(await committed(page)).toEqual(['short enough']);
  });

  test('a taken name offers free ones, one click away', async ({ page, server }) => {
    const [name, room] = [unique('지우'), unique('taken')];
    await signIn(page, server.url, name, room);
    await page.context().clearCookies();
    await page.goto(server.url);
    await page.getByLabel('Name').fill(name);
    await page.getByLabel('Room').fill(room);
    await page.getByRole('button', { name: 'Join', exact: true }).click();
    await expect(page.locator('#name-problem')).toHaveAttribute('data-code', 'name_taken');
    await page.locator('.pick').first().click();
    await expect(page.getByRole('heading', { name: room })).toBeVisible();
  });
});

test('a page whose WASM is blocked stays usable', async ({ page, server }) => {
  await page.route('**/*.wasm', (route) => route.abort());
  const room = unique('blocked');
  await signIn(page, server.url, unique('지우'), room);
  await field(page).fill('still here');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect(page.locator('.log')).toContainText('still here');
  expect(await committed(page)).toEqual(['still here']);
});

test.describe('with a script that comes late', () => {
  // A worker would answer with a script that it has kept.
  test.use({ serviceWorkers: 'block' });

  test('what was typed and opened before the script came is still so after it, and the draft with it', async ({ page, server }) => {
    await page.setViewportSize({ width: 320, height: 640 });
    await enter(page, server.url, unique('지우'), unique('slow'));
    await field(page).fill('half a thought');
    const release = await holdScript(page);
    await page.reload({ waitUntil: 'commit' });
    await field(page).fill('a');
    await page.locator('.head .menu').click();
    await expect(page.locator('.side')).toBeInViewport();
    release();
    await connected(page);
    await expect(field(page)).toHaveValue('half a thought\na');
    await expect(page.locator('.side')).toBeInViewport();
    // The room on screen is a choice like any other.
    await page.locator('.rooms [aria-current]').click();
    await expect(page.locator('.side')).not.toBeInViewport();
  });

  test('a page is readable before any script has run, and what was typed then is sent once', async ({ page, server }) => {
    const room = unique('slow');
    await signIn(page, server.url, unique('지우'), room);
    await page.request.post(page.url(), { form: { text: 'early', p: '00000000000000ab', n: '1' }, maxRedirects: 0 });
    const release = await holdScript(page);
    await page.reload({ waitUntil: 'commit' });
    await expect(page.getByText('early', { exact: true })).toBeVisible();
    await expect(page.locator('html')).toHaveAttribute('data-script', 'wait');
    await field(page).fill('typed before the script');
    release();
    await connected(page);
    await expect(field(page)).toHaveValue('typed before the script');
    await field(page).press('Enter');
    await expect(page.locator('.pending')).toHaveCount(0);
    await expect(field(page)).toHaveValue('');
    expect(await committed(page)).toEqual(['early', 'typed before the script']);
    await page.reload();
    expect(await committed(page)).toEqual(['early', 'typed before the script']);
  });
});
