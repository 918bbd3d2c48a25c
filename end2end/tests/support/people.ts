import type { Locator, Page } from '@playwright/test';
import { expect } from '@playwright/test';

let count = 0;

/** A name that no other test uses. */
export function unique(base: string): string {
  return `${base} ${process.pid % 10_000}-${++count}`;
}

/** Signs in by the form on the first page. */
export async function signIn(page: Page, url: string, name: string, room: string): Promise<void> {
  await page.goto(`${url}/`);
  // By their ids, so that it works in every language.
  await page.locator('#name').fill(name);
  await page.locator('#room').fill(room);
  await page.locator('.go').click();
  await expect(page.getByRole('heading', { name: room })).toBeVisible();
}

/** Signs in and waits until the page is alive. */
export async function enter(page: Page, url: string, name: string, room: string): Promise<void> {
  await signIn(page, url, name, room);
  await connected(page);
}

/** Creates another room by the form of the directory, and waits until its page is alive. */
export async function alsoEnter(page: Page, url: string, room: string): Promise<void> {
  await page.goto(`${url}/rooms`);
  await page.locator('#room').fill(room);
  await page.locator('.create .go').click();
  await connected(page);
}

/** Has somebody write `texts` who was never seen there: whoever has a page open comes and, after a while, goes. */
export async function written(page: Page, url: string, name: string, room: string, texts: readonly string[]): Promise<void> {
  await page.request.post(`${url}/signin`, { form: { name, room }, maxRedirects: 0 });
  for (const [n, text] of texts.entries()) {
    const form = { text, p: '00000000000000ab', n: `${n + 1}` };
    await page.request.post(`${url}/r/${encodeURIComponent(room)}`, { form, maxRedirects: 0 });
  }
  await page.context().clearCookies({ name: /hubbub/ });
}

/** Posts a message as a page without its script does, and waits for the page that answers. */
export async function postByForm(page: Page, action: string, text: string): Promise<void> {
  const answered = page.waitForEvent('domcontentloaded');
  await page.evaluate(
    ([action, value]) => {
      const form = Object.assign(document.createElement('form'), { method: 'post', action });
      form.append(Object.assign(document.createElement('textarea'), { name: 'text', value }));
      document.body.append(form);
      form.submit();
    },
    [action, text] as const,
  );
  await answered;
}

/** Leaves the room on screen by its menu. */
export async function leave(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Room menu' }).click();
  await page.getByRole('button', { name: 'Leave this room' }).click();
}

/** Answers the browser's next question with yes; resolves to what was asked. */
export function agree(page: Page): Promise<string> {
  return new Promise((asked) =>
    page.once('dialog', (dialog) => {
      asked(dialog.message());
      void dialog.accept();
    }),
  );
}

export async function connected(page: Page): Promise<void> {
  await expect(page.locator('.me .state.on')).toBeAttached({ timeout: 15_000 });
}

/** Waits until the server knows that this person has read whatever there is in their rooms. */
export async function allRead(page: Page): Promise<void> {
  const unread = async () => {
    const { screen } = await (await page.request.get(page.url(), { headers: { accept: 'application/json' } })).json();
    return (screen.opening.rooms as { reading: { unread: number } }[]).map(({ reading }) => reading.unread);
  };
  await expect.poll(async () => Math.max(...(await unread()))).toBe(0);
}

/** Presses “Connect now”, if the page does not connect of itself at this very moment. */
export async function connectNow(page: Page): Promise<void> {
  await page.evaluate(() => document.querySelector<HTMLElement>('.mid .banner button')?.click());
  await connected(page);
}

export function field(page: Page): Locator {
  return page.locator('#text');
}

export async function say(page: Page, text: string): Promise<void> {
  await field(page).fill(text);
  await field(page).press('Enter');
}

/** Says something and waits until it is in the log. (Before its row is painted nothing is pending either.) */
export async function tell(page: Page, text: string): Promise<void> {
  await say(page, text);
  await expect(page.locator('.log [data-seq] .text').filter({ hasText: text }).last()).toBeAttached();
}

/** The texts in the list, oldest first, acknowledged or not. */
export function texts(page: Page): Promise<string[]> {
  return page.locator('.log .text').allInnerTexts();
}

/** Those that are in the log. */
export function committed(page: Page): Promise<string[]> {
  return page.locator('.log [data-seq] .text').allInnerTexts();
}
