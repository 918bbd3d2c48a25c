import type { Page } from '@playwright/test';

/** How long a page was cut off at a stretch, at most, in milliseconds. */
export interface Outage {
  /** Without a socket that follows a room. */
  without: number;
  /** Saying of itself that it is not connected. */
  shown: number;
  /** How many sockets came to follow a room. */
  sockets: number;
  /** What its sockets did, each with its number, after so many milliseconds since it was asked last: to find out why. */
  story: string[];
}

/** Has the pages to come watch their sockets, and what they say of them. */
export async function watchOutages(page: Page): Promise<void> {
  await page.addInitScript(() => {
    /** The longest stretch without something, once it was there. */
    class Stretch {
      #since: number | undefined;
      #longest = 0;

      is(there: boolean): void {
        this.#measure();
        this.#since = there ? undefined : (this.#since ?? performance.now());
      }

      /** Also the one that goes on, of which what follows counts anew. */
      take(): number {
        this.#measure();
        const longest = this.#longest;
        this.#longest = 0;
        if (this.#since !== undefined) this.#since = performance.now();
        return longest;
      }

      #measure(): void {
        if (this.#since !== undefined) this.#longest = Math.max(this.#longest, performance.now() - this.#since);
      }
    }

    const [without, shown, following] = [new Stretch(), new Stretch(), new Set<WebSocket>()];
    let [sockets, all, since, story] = [0, 0, performance.now(), [] as string[]];
    const tell = (socket: number, what: string) => story.push(`${Math.round(performance.now() - since)}: ${socket} ${what}`);
    window.WebSocket = class extends WebSocket {
      constructor(...how: ConstructorParameters<typeof WebSocket>) {
        super(...how);
        const n = ++all;
        tell(n, 'opens');
        this.addEventListener('message', ({ data }) => {
          const { t } = JSON.parse(data);
          if (t === 'move') tell(n, 'is told to move');
          if (following.has(this) || t !== 'joined') return;
          tell(n, 'follows');
          following.add(this);
          sockets++;
          without.is(true);
        });
        this.addEventListener('close', ({ code, isTrusted }) => {
          // The page's library makes such an event of its own for what the page closes itself.
          if (isTrusted) tell(n, `is closed, ${code}`);
          if (following.delete(this)) without.is(following.size > 0);
        });
      }
    };
    let wasOn = false;
    const look = () => {
      const on = document.querySelector('.me .state.on') !== null;
      wasOn ||= on;
      if (wasOn) shown.is(on);
    };
    new MutationObserver(look).observe(document, { attributes: true, childList: true, subtree: true });
    const takeOutage = () => {
      const taken = { without: without.take(), shown: shown.take(), sockets, story };
      [sockets, since, story] = [0, performance.now(), []];
      return taken;
    };
    Object.assign(window, { takeOutage });
  });
}

/** What it saw since it was asked last, or since this page came. */
export async function takeOutage(page: Page): Promise<Outage> {
  return await page.evaluate(() => (window as unknown as { takeOutage: () => Outage }).takeOutage());
}
