import type { Page } from '@playwright/test';

/** From the next page on, the server's answer to every message, once `due`, is that it refuses it for good, until told to stop. */
export async function refuseMessages(page: Page, due: Promise<void> = Promise.resolve()): Promise<() => void> {
  let refuses = true;
  await page.routeWebSocket('**/ws', (socket) => {
    const server = socket.connectToServer();
    socket.onMessage((frame) => {
      const { t, room, p, n } = JSON.parse(String(frame));
      const refused = JSON.stringify({ t: 'refused', room, p, n, code: 'unavailable', retry: false });
      if (t === 'send' && refuses) void due.then(() => socket.send(refused));
      else server.send(frame);
    });
  });
  return () => (refuses = false);
}
