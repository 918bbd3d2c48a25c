import type { Page } from '@playwright/test';
import { enter, field, signIn, unique } from './support/people';
import { holdScript } from './support/script';
import { expect, test } from './support/test';

test.use({ serviceWorkers: 'block' });

/** Puts a picture on the clipboard, as a screenshot does, or along with a text, as a spreadsheet does. */
async function copyPicture(page: Page, text?: string): Promise<void> {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.evaluate(async (text) => {
    const canvas = document.createElement('canvas');
    const picture = await new Promise<Blob>((resolve) => canvas.toBlob((blob) => resolve(blob!)));
    const item: Record<string, Blob> = { 'image/png': picture };
    if (text !== undefined) item['text/plain'] = new Blob([text], { type: 'text/plain' });
    await navigator.clipboard.write([new ClipboardItem(item)]);
  }, text);
}

const says = (page: Page) => page.locator('#aside');
const SENTENCE = 'Hubbub sends text only. Paste a link instead.';

for (const when of ['before the script', 'with it'] as const) {
  test(`a picture that is pasted ${when} is answered in words, and nothing is lost`, async ({ page, server }) => {
    const release = when === 'before the script' ? await holdScript(page) : () => {};
    await (when === 'with it' ? enter : signIn)(page, server.url, unique('지우'), unique('paste'));
    await field(page).fill('look: ');
    await copyPicture(page);
    await field(page).press('End');
    await field(page).press('Control+v');
    await expect(says(page)).toHaveText(SENTENCE);
    await expect(field(page)).toHaveValue('look: ');
    await field(page).pressSequentially('x');
    await expect(says(page)).toHaveText('');
    await expect(field(page)).toHaveValue('look: x');
    // What comes along with a text is no loss.
    await copyPicture(page, 'a cell');
    await field(page).press('Control+v');
    await expect(field(page)).toHaveValue('look: xa cell');
    await expect(says(page)).toHaveText('');
    // It is gone with what it was about, too.
    await copyPicture(page);
    await field(page).press('Control+v');
    await expect(says(page)).toHaveText(SENTENCE);
    await field(page).press('Enter');
    await expect(says(page)).not.toContainText(SENTENCE);
    release();
  });
}

test('a file that is dropped anywhere is answered in words, and the page stays', async ({ page, server }) => {
  await enter(page, server.url, unique('지우'), unique('drop'));
  await page.context().addCookies([{ name: 'lang', value: 'ko', url: server.url }]);
  await page.reload();
  await field(page).fill('쓰던 글');
  for (const where of ['.log', '#text', '.side']) {
    const taken = await page.locator(where).evaluate((at) => {
      const data = new DataTransfer();
      data.items.add(new File(['x'], 'x.png', { type: 'image/png' }));
      const event = (type: string) => new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true });
      return !at.dispatchEvent(event('dragover')) && !at.dispatchEvent(event('drop'));
    });
    expect(taken, where).toBe(true);
    await expect(says(page)).toHaveText('Hubbub에서는 글만 보낼 수 있습니다. 링크를 붙여 넣어 주세요.');
    await expect(field(page)).toHaveValue('쓰던 글');
    await field(page).press('End');
    await field(page).press('Space');
    await field(page).press('Backspace');
    await expect(says(page)).toHaveText('');
  }
  // A text that is dragged is the browser's.
  const left = await field(page).evaluate((at) => {
    const data = new DataTransfer();
    data.setData('text/plain', 'dragged');
    return at.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
  });
  expect(left).toBe(true);
});
