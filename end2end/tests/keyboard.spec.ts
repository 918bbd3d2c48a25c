import { type Page } from '@playwright/test';
import { connected, enter, field, say, texts, unique } from './support/people';
import { expect, test } from './support/test';

/** Goes to a new room by the directory's form. */
async function create(page: Page, url: string, room: string): Promise<void> {
  await page.goto(`${url}/rooms`);
  await page.getByLabel('New room').fill(room);
  await page.getByRole('button', { name: 'Create' }).click();
  await connected(page);
}

function switcher(page: Page) {
  return page.getByRole('dialog', { name: 'Find a room' });
}

/** Those of one's own that the switcher offers: other tests make rooms of similar names. */
function own(page: Page) {
  return switcher(page).getByRole('option').filter({ hasNot: page.locator('.tag') });
}

test('Ctrl+K goes to another room by a few letters, by keyboard alone, in any layout', async ({ page, server }) => {
  const [alpha, beta, korean] = [unique('alpha'), unique('beta'), unique('디자인')];
  await enter(page, server.url, unique('지우'), alpha);
  await create(page, server.url, beta);
  await create(page, server.url, korean);
  await field(page).fill('half a sentence');
  await field(page).press('Control+k');
  await expect(switcher(page)).toBeVisible();
  const filter = switcher(page).getByRole('combobox');
  await expect(filter).toBeFocused();
  await expect(own(page)).toHaveCount(3);
  await page.keyboard.type('BET');
  await expect(own(page)).toHaveText([beta]);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: beta })).toBeVisible();
  await expect(switcher(page)).toBeHidden();
  await expect(field(page)).toBeFocused();

  // Where the letters are no Latin ones, the key is told by its place.
  await field(page).dispatchEvent('keydown', { key: 'ㅏ', code: 'KeyK', ctrlKey: true, bubbles: true, cancelable: true });
  await expect(switcher(page)).toBeVisible();
  await page.keyboard.insertText('ㄷㅈ');
  await expect(own(page)).toHaveText([korean]);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: korean })).toBeVisible();
  await expect(field(page)).toHaveValue('half a sentence');
});

test('the letter counts where it is a Latin one, wherever the layout has it', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('dvorak'));
  const press = (key: string, code: string) =>
    field(page).evaluate(
      (at, init) => !at.dispatchEvent(new KeyboardEvent('keydown', { ...init, ctrlKey: true, bubbles: true, cancelable: true })),
      { key, code },
    );
  // Ctrl+T on Dvorak, Ctrl+E on Colemak: the browser's.
  for (const other of ['t', 'e']) expect(await press(other, 'KeyK'), other).toBe(false);
  await expect(switcher(page)).toBeHidden();
  // Ctrl+K on both.
  for (const place of ['KeyV', 'KeyN']) {
    expect(await press('k', place), place).toBe(true);
    await expect(switcher(page)).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(switcher(page)).toBeHidden();
    // The dialog is gone a moment before its contents are, and quicker than by hand it is not opened again.
    await expect(page.locator('.switcher .find')).toHaveCount(0);
  }
});

test('on a Mac Ctrl+K in a field is the system’s, and Cmd+K is ours', async ({ page, server }) => {
  await page.addInitScript(() => Object.defineProperty(navigator, 'platform', { get: () => 'MacIntel' }));
  await enter(page, server.url, unique('지우'), unique('mac'));
  const press = (at: string, modifier: 'ctrlKey' | 'metaKey') =>
    page.locator(at).evaluate(
      (it, modifier) =>
        !it.dispatchEvent(new KeyboardEvent('keydown', { key: 'k', code: 'KeyK', [modifier]: true, bubbles: true, cancelable: true })),
      modifier,
    );
  expect(await press('#text', 'ctrlKey')).toBe(false);
  await expect(switcher(page)).toBeHidden();
  for (const [at, modifier] of [['#text', 'metaKey'], ['.log', 'ctrlKey']] as const) {
    expect(await press(at, modifier), `${modifier} in ${at}`).toBe(true);
    await expect(switcher(page)).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(switcher(page)).toBeHidden();
  }
});

test('arrows, Home and End choose in the switcher, and Escape leads back to where one was', async ({ page, server }) => {
  const rooms = [unique('r'), unique('r'), unique('r')];
  await enter(page, server.url, unique('지우'), rooms[0]!);
  await create(page, server.url, rooms[1]!);
  await create(page, server.url, rooms[2]!);
  await field(page).press('Control+k');
  const chosen = switcher(page).locator('[aria-selected=true]');
  // The room that is open comes last.
  await expect(chosen).toHaveText(rooms[0]!);
  await page.keyboard.press('ArrowDown');
  await expect(chosen).toHaveText(rooms[1]!);
  await page.keyboard.press('End');
  await expect(chosen).toHaveText(rooms[2]!);
  await page.keyboard.press('ArrowDown');
  await expect(chosen).toHaveText(rooms[0]!);
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Home');
  await expect(chosen).toHaveText(rooms[0]!);
  const active = await switcher(page).getByRole('combobox').getAttribute('aria-activedescendant');
  await expect(chosen).toHaveAttribute('id', active!);
  await page.keyboard.press('Escape');
  await expect(switcher(page)).toBeHidden();
  await expect(field(page)).toBeFocused();
  await expect(page.getByRole('heading', { name: rooms[2]! })).toBeVisible();
});

test('the switcher offers to create a room that is not there', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('home'));
  const room = unique('brand new');
  await page.getByRole('button', { name: 'Find a room' }).click();
  await page.keyboard.type(room);
  await expect(switcher(page)).toContainText('There is no room called that.');
  await switcher(page).getByRole('button', { name: 'Create' }).click();
  await expect(page.getByRole('heading', { name: room })).toBeVisible();
});

for (const { what, data, goes } of [
  { what: 'one Enter is enough for Korean', data: '베', goes: true },
  { what: 'the Enter that chooses a candidate goes nowhere', data: '北', goes: false },
]) {
  test(`in the switcher ${what}`, async ({ page, server }) => {
    const [home, other] = [unique('home'), unique(data)];
    await enter(page, server.url, unique('지우'), other);
    await create(page, server.url, home);
    await field(page).press('Control+k');
    await expect(switcher(page).getByRole('combobox')).toBeFocused();
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('Input.imeSetComposition', { text: data, selectionStart: 1, selectionEnd: 1 });
    await expect(own(page)).toHaveText([other]);
    await cdp.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', windowsVirtualKeyCode: 229, key: 'Process', code: 'Enter' });
    await cdp.send('Input.insertText', { text: data });
    if (goes) {
      await expect(page.getByRole('heading', { name: other })).toBeVisible();
      await expect(switcher(page)).toBeHidden();
    } else {
      // What follows happens after anything that Enter could have set off.
      await page.keyboard.press('Backspace');
      await expect(own(page)).toHaveCount(2);
      await expect(page.getByRole('heading', { name: home })).toBeVisible();
    }
  });
}

test('? lists the shortcuts, not while writing, and can be turned off', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('help'));
  const help = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  await field(page).fill('');
  await field(page).press('?');
  await expect(field(page)).toHaveValue('?');
  await expect(help).toBeHidden();
  await field(page).fill('');
  await page.locator('.log').focus();
  await page.keyboard.press('?');
  await expect(help).toBeVisible();
  await expect(help).toContainText('Find a room');
  await help.getByLabel('Open this list with the ? key').uncheck();
  await page.keyboard.press('Escape');
  await expect(help).toBeHidden();
  await expect(page.locator('.log')).toBeFocused();
  await page.keyboard.press('?');
  await page.reload();
  await connected(page);
  await page.locator('.log').focus();
  await page.keyboard.press('?');
  // The settings still lead there.
  await page.getByRole('button', { name: 'Settings' }).click();
  await expect(help).toBeHidden();
  await page.getByRole('button', { name: 'Keyboard shortcuts' }).click();
  await expect(help).toBeVisible();
  await help.getByLabel('Open this list with the ? key').check();
  await help.getByRole('button', { name: 'Close' }).click();
  await expect(page.getByRole('button', { name: 'Settings' })).toBeFocused();
  await page.locator('.log').focus();
  await page.keyboard.press('?');
  await expect(help).toBeVisible();
});

test('Escape closes what is on top, one thing at a time', async ({ page, server }) => {
  await page.setViewportSize({ width: 320, height: 640 });
  await enter(page, server.url, unique('지우'), unique('narrow'));
  const drawer = page.getByRole('checkbox', { name: 'Rooms and people' });
  await drawer.focus();
  await page.keyboard.press('Space');
  await expect(drawer).toBeChecked();
  await page.getByRole('button', { name: 'Settings' }).click();
  const settings = page.getByRole('dialog', { name: 'Settings' });
  await expect(settings).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(settings).toBeHidden();
  await expect(drawer).toBeChecked();
  await page.keyboard.press('Escape');
  await expect(drawer).not.toBeChecked();
  await expect(drawer).toBeFocused();
});

test('whether Enter sends is set for this device; with Ctrl or Cmd it always does', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('enter'));
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByLabel('Enter sends the message').uncheck();
  await page.keyboard.press('Escape');
  await field(page).focus();
  await page.keyboard.type('one');
  await page.keyboard.press('Enter');
  await page.keyboard.type('two');
  await expect(field(page)).toHaveValue('one\ntwo');
  await page.keyboard.press('Control+Enter');
  await expect.poll(() => texts(page)).toEqual(['one\ntwo']);
  await page.reload();
  await connected(page);
  await field(page).focus();
  await page.keyboard.type('kept');
  await page.keyboard.press('Enter');
  await expect(field(page)).toHaveValue('kept\n');
  await page.keyboard.press('Meta+Enter');
  await expect.poll(() => texts(page)).toEqual(['one\ntwo', 'kept']);
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByLabel('Enter sends the message').check();
  await page.keyboard.press('Escape');
  await field(page).focus();
  await say(page, 'three');
  await expect.poll(() => texts(page)).toEqual(['one\ntwo', 'kept', 'three']);
});

test('on a touch screen Enter breaks the line until it is set to send', async ({ browser, server }) => {
  const page = await (await browser.newContext({ hasTouch: true, isMobile: true, viewport: { width: 390, height: 780 } })).newPage();
  await enter(page, server.url, unique('지우'), unique('touch'));
  await field(page).focus();
  await page.keyboard.type('one');
  await page.keyboard.press('Enter');
  await page.keyboard.type('two');
  await expect(field(page)).toHaveValue('one\ntwo');
  await page.getByRole('button', { name: 'Send' }).click();
  await expect.poll(() => texts(page)).toEqual(['one\ntwo']);
  await page.context().close();
});
