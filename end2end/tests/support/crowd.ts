import type { Browser, Page } from '@playwright/test';
import { signIn } from './people';

/** Somebody who writes much faster than by hand: signed in as everybody else, but with a bare socket of their own. */
export class Writer {
  private constructor(readonly page: Page) {}

  static async in(browser: Browser, url: string, name: string, room: string): Promise<Writer> {
    const page = await (await browser.newContext()).newPage();
    // The room's own script would open a second socket.
    await page.route('**/*.wasm', (route) => route.abort());
    // Nor is the page to be loaded again because of that.
    await page.addInitScript(() => sessionStorage.setItem('hubbub.again', '1'));
    await signIn(page, url, name, room);
    await page.evaluate(async () => {
      const room = decodeURIComponent(location.pathname.split('/')[2]!);
      const socket = new WebSocket(`ws://${location.host}/ws`, 'hubbub.v1');
      const p = crypto.getRandomValues(new BigUint64Array(1))[0]!.toString(16).padStart(16, '0');
      let [n, answered] = [0, 0];
      let more = () => {};
      const joined = new Promise<void>((resolve) => {
        socket.onmessage = ({ data }) => {
          const frame = JSON.parse(data);
          if (frame.t === 'hello') socket.send(JSON.stringify({ t: 'join', room }));
          if (frame.t === 'joined') resolve();
          if (frame.t === 'ack') {
            answered++;
            more();
          }
        };
      });
      await joined;
      const write = async (texts: string[]) => {
        for (const text of texts) {
          // As many may be unanswered.
          while (n - answered >= 64) await new Promise<void>((resolve) => (more = resolve));
          socket.send(JSON.stringify({ t: 'send', room, p, n: ++n, text }));
        }
        while (answered < n) await new Promise<void>((resolve) => (more = resolve));
      };
      Object.assign(window, { write });
    });
    return new Writer(page);
  }

  /** Resolves when all of them are in the log. */
  async write(texts: readonly string[]): Promise<void> {
    await this.page.evaluate((texts) => (window as unknown as { write: (texts: string[]) => Promise<void> }).write(texts), [
      ...texts,
    ]);
  }

  async leave(): Promise<void> {
    await this.page.context().close();
  }
}
