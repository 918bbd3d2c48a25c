import type { Page } from '@playwright/test';
import { committed, enter, signIn, tell, unique } from './support/people';
import { holdScript } from './support/script';
import { expect, test } from './support/test';

const MINUTE = 60_000;

/** From the next page on, a message whose text ends in `+n` arrives as one that was written n minutes later. */
async function later(page: Page): Promise<void> {
  await page.routeWebSocket('**/ws', (socket) => {
    const server = socket.connectToServer();
    server.onMessage((message) => {
      const frame = JSON.parse(String(message));
      const minutes = /\+(\d+)"/.exec(String(message))?.[1];
      if (frame.t === 'entry' && minutes) frame.entry.at += Number(minutes) * MINUTE;
      socket.send(JSON.stringify(frame));
    });
  });
}

test.describe('long before midnight', () => {
  // Hours before noon, whenever this is run.
  test.use({ timezoneId: new Date().getUTCHours() < 12 ? 'UTC' : 'Etc/GMT+12' });

  test('one sender’s messages stand together for five minutes', async ({ browser, page, server }) => {
    const [room, megan] = [unique('groups'), unique('Megan')];
    await later(page);
    await enter(page, server.url, unique('지우'), room);
    const other = await (await browser.newContext()).newPage();
    await enter(other, server.url, megan, room);
    // Whoever comes between two messages parts them.
    await expect(page.locator('.note')).toContainText(megan);
    const said = ['hello', 'within +4', 'just so +8', 'too late +14'];
    for (const text of said) await tell(other, text);
    await expect.poll(() => committed(page)).toEqual(said);
    // The name stands once above those that belong together.
    const heads = page.locator('.log .m').filter({ has: page.locator('.by') });
    await expect(heads.locator('.text')).toHaveText(['hello', 'too late +14']);
    await expect(heads.locator('.by bdi')).toHaveText([megan, megan]);
    await other.context().close();
  });
});

test('times are told as the reader’s country does, before and after the script, and marked where the zone is not known', async ({ browser, server }) => {
  const room = unique('clocks');
  for (const { locale, hours } of [
    { locale: 'ko-KR', hours: { hour: 'numeric', hour12: true } },
    { locale: 'en-US', hours: { hour: 'numeric', hour12: true } },
    { locale: 'en-GB', hours: { hour: '2-digit', hour12: false } },
  ] as const) {
    const context = await browser.newContext({ timezoneId: 'Asia/Seoul', locale, serviceWorkers: 'block' });
    const page = await context.newPage();
    await signIn(page, server.url, unique('지우'), room);
    for (const [n, text] of ['first', 'second'].entries()) {
      await page.request.post(page.url(), { form: { text, p: '00000000000000ab', n: `${n + 1}` }, maxRedirects: 0 });
    }
    const times = page.locator('.log .m:nth-last-child(-n+2) time');
    const told = async () => {
      const at = new Date((await times.last().getAttribute('datetime'))!);
      return (timeZone: string) => {
        const time = at.toLocaleTimeString(locale, { timeZone, minute: '2-digit', ...hours }).replace(/\s/g, '\u00A0');
        // Some editions of Unicode's data have the Latin letters for Korean, which nobody there writes.
        return locale === 'ko-KR' ? time.replace('AM', '오전').replace('PM', '오후') : time;
      };
    };
    const release = await holdScript(page);
    await page.reload({ waitUntil: 'commit' });
    await expect(times.last()).toBeAttached();
    const own = (await told())('Asia/Seoul');
    await expect(times.last()).toHaveText(own);
    const box = await times.last().boundingBox();
    release();
    await expect(page.locator('html')).toHaveAttribute('data-script', 'on');
    await expect(times.last()).toHaveText(own);
    expect(await times.last().boundingBox()).toEqual(box);
    // A time stands on one line, beside the text.
    const text = (await page.locator('.log .m .text').last().boundingBox())!;
    expect(box!.x).toBeGreaterThanOrEqual((await page.locator('.log').boundingBox())!.x);
    expect(box!.x + box!.width).toBeLessThanOrEqual(text.x);
    expect(box!.height).toBeLessThan(16);

    // A browser whose zone nobody knows yet, as on a first visit.
    await context.clearCookies({ name: 'tz' });
    await page.route('**/*.wasm', (route) => route.abort());
    const html = await (await page.request.get(page.url(), { headers: { 'accept-language': locale } })).text();
    expect(html).toContain(`>${(await told())('UTC')} UTC<`);
    await context.close();
  }
});

/** From the next page on, the device's clock is this much ahead; what `jump` says is added. */
async function shiftClock(page: Page, ahead: number): Promise<void> {
  await page.addInitScript((ahead) => {
    const Real = Date;
    Object.assign(window, { jump: 0 });
    const now = () => Real.now() + ahead + (window as unknown as { jump: number }).jump;
    class Shifted extends Real {
      constructor(...args: ConstructorParameters<typeof Real> | []) {
        super(...((args.length > 0 ? args : [now()]) as ConstructorParameters<typeof Real>));
      }
      static override now = now;
    }
    Object.assign(window, { Date: Shifted });
  }, ahead);
}

for (const days of [-2, 2]) {
  test(`what is written today is so by the server’s clock, with a device that is ${days} days off, and yesterday’s after midnight`, async ({ page, server }) => {
    const DAY = 24 * 60 * MINUTE;
    await shiftClock(page, days * DAY);
    await enter(page, server.url, unique('지우'), unique('clock'));
    await tell(page, 'hello');
    const day = page.locator('.day');
    await expect(day).toHaveText(/^Today · /);
    // The night passes while nobody looks.
    await page.evaluate((day) => {
      Object.assign(window, { jump: day });
      document.dispatchEvent(new Event('visibilitychange'));
    }, DAY);
    await expect(day).toHaveText(/^Yesterday · /);
    await page.evaluate((day) => {
      Object.assign(window, { jump: 2 * day });
      document.dispatchEvent(new Event('visibilitychange'));
    }, DAY);
    await expect(day).not.toHaveText(/·/);
  });
}

/** It is never the same day in both. */
const zones = ['Pacific/Kiritimati', 'Pacific/Pago_Pago'] as const;

test('days and times are those of the reader’s zone, in full for whoever asks, and the server knows it', async ({ browser, server }) => {
  const room = unique('zones');
  const days: string[] = [];
  for (const timezoneId of zones) {
    const page = await (await browser.newContext({ timezoneId, locale: 'en-GB', serviceWorkers: 'block' })).newPage();
    await enter(page, server.url, unique('지우'), room);
    if (timezoneId === zones[0]) await tell(page, 'what time is it?');
    const time = page.locator('.log time').first();
    const at = new Date((await time.getAttribute('datetime'))!);
    const local = (options: Intl.DateTimeFormatOptions) => at.toLocaleString('en-GB', { timeZone: timezoneId, ...options });
    const clock = local({ hour: '2-digit', minute: '2-digit' });
    const day = `${local({ weekday: 'long' })}, ${local({ day: 'numeric', month: 'long' })}`;
    days.push(day);
    for (const script of ['on', 'stopped']) {
      await expect(page.locator('html')).toHaveAttribute('data-script', script, { timeout: 15_000 });
      await expect(time).toHaveText(clock);
      await expect(time).toHaveAttribute('title', `${day} ${local({ year: 'numeric' })} ${clock}`);
      await expect(page.locator('.day')).toHaveText(`Today · ${day}`);
      // What the server makes of it.
      await page.route('**/*.wasm', (route) => route.abort());
      await page.reload();
    }
    await page.context().close();
  }
  expect(days[0]).not.toBe(days[1]);
});

for (const { width, height } of [
  { width: 320, height: 640 },
  { width: 768, height: 1024 },
  { width: 1280, height: 800 },
]) {
  test(`what there is to read keeps its place and its words when the script takes over, ${width} px wide`, async ({ browser, server }) => {
    const korea = { locale: 'ko-KR', timezoneId: 'Asia/Seoul', colorScheme: 'dark' } as const;
    // A worker would answer with a script that it has kept.
    const context = await browser.newContext({ ...korea, viewport: { width, height }, serviceWorkers: 'block' });
    const page = await context.newPage();
    await signIn(page, server.url, unique('지우'), unique('a room whose name is too long for a phone'));
    for (let n = 1; n <= 60; n++) {
      const form = { text: `${n} ${'빠른 갈색 여우 '.repeat((n * 7) % 11)}`, p: n.toString(16).padStart(16, '0'), n: '1' };
      await page.request.post(page.url(), { form, maxRedirects: 0 });
    }
    const release = await holdScript(page);
    await page.reload({ waitUntil: 'commit' });
    await expect(page.locator('.log .m').last()).toBeInViewport({ ratio: 1 });
    const shown = () =>
      page.evaluate(() =>
        [...document.querySelectorAll('.log .m, .log .day, .head h1, .head .meta, .head form, .composer, .side h2, .rooms a, .people li, .me form')]
          .map((it) => [it.getBoundingClientRect(), (it as HTMLElement).innerText] as const)
          .filter(([box]) => box.bottom > 0 && box.top < innerHeight)
          .map(([box, text]) => `${Math.round(box.x)} ${Math.round(box.y)} ${Math.round(box.width)} ${Math.round(box.height)} ${text}`),
      );
    const before = await shown();
    expect(before.length).toBeGreaterThan(5);
    await expect(page.locator('html')).toHaveAttribute('data-script', 'wait');
    release();
    await expect(page.locator('.me .state.on')).toBeAttached({ timeout: 15_000 });
    expect(await shown()).toEqual(before);
    await context.close();
  });
}
