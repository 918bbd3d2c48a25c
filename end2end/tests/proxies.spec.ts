import type { Browser, Page } from '@playwright/test';
import { BALANCERS, Balanced, type Kind } from './support/balancer';
import { takeOutage, watchOutages } from './support/outage';
import { committed, enter, field, signIn, texts, unique } from './support/people';
import { test as base, expect } from './support/test';

/** Nobody is offline for longer at a stretch, in milliseconds. */
const OFFLINE_MAX = 1_000;
/** An instance ends within, in milliseconds. */
const END_MAX = 10_000;
/** For whatever a busy machine takes its time for, in milliseconds. */
const PATIENCE = 30_000;

interface Person {
  locale: string;
  name: string;
  /** What they write, over and over; short, as each key takes a busy machine its time. */
  word: string;
  /** How the button is called for them. */
  send: string;
}

const PEOPLE: readonly Person[] = [
  { locale: 'en-GB', name: 'Megan', word: 'm', send: 'Send' },
  { locale: 'ko-KR', name: '지우', word: '말', send: '보내기' },
];

const test = base.extend<{ kind: Kind; balanced: Balanced }>({
  kind: ['caddy', { option: true }],
  balanced: async ({ kind }, use, info) => {
    const balanced = await Balanced.behind(kind);
    await use(balanced);
    if (info.status !== info.expectedStatus) {
      await info.attach(`${kind} and its instances`, { body: balanced.output, contentType: 'text/plain' });
    }
    await balanced.remove();
  },
});

// A picture of each key would cost more than the key.
test.use({ trace: { mode: 'retain-on-failure', screenshots: false } });

/** Somebody who writes by their keyboard without a pause. */
class Typist {
  readonly said: string[] = [];
  /** Pages that came in place of the first one. */
  loads = 0;

  private constructor(
    readonly page: Page,
    readonly word: string,
  ) {}

  static async in(browser: Browser, url: string, room: string, { locale, name, word }: Person): Promise<Typist> {
    const page = await (await browser.newContext({ locale })).newPage();
    await watchOutages(page);
    await enter(page, url, unique(name), room);
    await expect(page.locator('html')).toHaveAttribute('lang', locale.slice(0, 2));
    const typist = new Typist(page, word);
    page.on('load', () => typist.loads++);
    // Nothing takes the focus away: it is not put there again.
    await field(page).focus();
    return typist;
  }

  async write(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const text = `${this.word}${this.said.length + 1}`;
      await this.page.keyboard.type(text, { delay: 50 });
      await this.page.keyboard.press('Enter');
      this.said.push(text);
    }
  }

  /** Until something is in the log, as this page has it, that they sent after now. */
  async isHeard(): Promise<void> {
    const next = `${this.word}${this.said.length + 2}`;
    const row = this.page.locator('.log [data-seq] .text').getByText(next, { exact: true });
    await expect(row).toBeAttached({ timeout: PATIENCE });
  }
}

for (const kind of BALANCERS) {
  test.describe(kind, () => {
    test.use({ kind });

    test('all but the proxy restarts in turn: nothing is lost, and nobody is offline for long', async ({ browser, balanced }, info) => {
      test.setTimeout(180_000);
      const { url, servers, redis } = balanced;
      const room = unique('rolling');
      const typists = await Promise.all(PEOPLE.map((person) => Typist.in(browser, url, room, person)));
      /** Until everybody's messages go out again; how many sockets were opened since the last time. */
      const restarted = async (what: string) => {
        await Promise.all(typists.map((typist) => typist.isHeard()));
        const outages = await Promise.all(typists.map(({ page }) => takeOutage(page)));
        const said = typists.map(({ said }) => said.length);
        info.annotations.push({ type: `${kind}, ${what}`, description: JSON.stringify({ said, outages }) });
        for (const { without, shown, story } of outages) {
          const why = `${what}:\n${story.join('\n')}\n`;
          expect(without, `without a socket, ${why}`).toBeLessThanOrEqual(OFFLINE_MAX);
          expect(shown, `shown as offline, ${why}`).toBeLessThanOrEqual(OFFLINE_MAX);
        }
        return outages.reduce((sum, { sockets }) => sum + sockets, 0);
      };
      const roll = async () => {
        for (const server of servers) await balanced.untilItServes(server);
        expect(await restarted('before')).toBe(PEOPLE.length);
        // First the one that has somebody, so that both have when they end.
        const inTurn = (await servers[0].counted('hubbub_sockets ')) > 0 ? servers : servers.toReversed();
        for (const [n, server] of inTurn.entries()) {
          await server.stop('SIGTERM', END_MAX);
          await server.resume();
          await balanced.untilItServes(server);
          expect(await restarted(`instance ${n + 1}`), 'somebody had to move').toBeGreaterThan(0);
        }
        await redis.stop();
        for (const { page } of typists) await expect(page.locator('.pending')).not.toHaveCount(0, { timeout: PATIENCE });
        await redis.resume();
        await restarted('Redis');
      };
      let isOver = false;
      await Promise.all([roll().finally(() => (isOver = true)), ...typists.map((typist) => typist.write(() => isOver))]);

      const all = typists.flatMap(({ said }) => said);
      for (const { page, loads } of typists) {
        await expect(page.locator('.log [data-seq] .text')).toHaveCount(all.length, { timeout: PATIENCE });
        await expect(page.locator('.pending, .failed, .gap, .banner')).toHaveCount(0);
        expect(loads, 'pages that were loaded anew').toBe(0);
      }
      const [order, others] = await Promise.all(typists.map(({ page }) => texts(page)));
      expect(others).toEqual(order);
      for (const { said, word } of typists) expect(order!.filter((text) => text.startsWith(word))).toEqual(said);

      for (const { locale, name, send } of PEOPLE) {
        const page = await (await browser.newContext({ locale, javaScriptEnabled: false })).newPage();
        await signIn(page, url, unique(name), room);
        const shown = await committed(page);
        expect(shown).toEqual(order!.slice(-shown.length));
        order!.push(`by a form, ${locale}`);
        await field(page).fill(order!.at(-1)!);
        await page.getByRole('button', { name: send, exact: true }).click();
        await expect(page.locator('.log [data-seq] .text').last()).toHaveText(order!.at(-1)!);
        await page.context().close();
      }
      for (const { page } of typists) {
        await expect.poll(() => texts(page), { timeout: PATIENCE }).toEqual(order);
        await page.context().close();
      }
    });
  });
}
