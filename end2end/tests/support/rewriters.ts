import { once } from 'node:events';
import { createServer, type IncomingMessage, request as ask, type Server as Listener } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Page } from '@playwright/test';

/** As translators do: every text becomes two elements around another text, and the old one is no longer on the page. */
export async function translate(page: Page, heedsUs: boolean): Promise<void> {
  await page.evaluate((heedsUs) => {
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const texts: Text[] = [];
    while (walk.nextNode()) texts.push(walk.currentNode as Text);
    for (const text of texts) {
      const at = text.parentElement!;
      if (!text.data.trim() || at.closest('script, style, textarea, svg') || (heedsUs && at.closest('[translate=no]'))) continue;
      const [outer, inner] = [document.createElement('font'), document.createElement('font')];
      outer.append(inner);
      text.replaceWith(outer);
      if (heedsUs) {
        inner.textContent = `«${text.data}»`;
      } else {
        // Others keep the text node and move it.
        text.data = `«${text.data}»`;
        inner.append(text);
      }
    }
  }, heedsUs);
}

/** As password managers, dictionaries and the like do. */
export async function extend(page: Page): Promise<void> {
  await page.evaluate(() => {
    const node = (name: string) => document.createElement(name);
    document.body.prepend(node('x-toolbar'));
    document.body.append(node('x-panel'));
    document.querySelector('#text')?.after(node('x-speller'));
    document.querySelector('.col')?.prepend(node('x-marker'));
    document.querySelectorAll('.m .text').forEach((text) => text.append(node('x-hint')));
    document.querySelectorAll('.m, #text, html, body').forEach((it) => it.setAttribute('data-x-seen', 'true'));
  });
}

/** An HTTP proxy that changes the pages that come through it. All else passes. */
export class Rewriter {
  /** What becomes of a page. */
  change: (html: string) => string = (html) => html;
  readonly #listener: Listener;

  private constructor(upstream: string) {
    const { hostname, port } = new URL(upstream);
    const asked = (request: IncomingMessage) => {
      const headers = { ...request.headers, 'accept-encoding': 'identity' };
      return ask({ hostname, port, method: request.method, path: request.url, headers, agent: false });
    };
    this.#listener = createServer((request, response) => {
      const asking = asked(request);
      asking.on('error', () => response.destroy());
      asking.on('response', (answer) => {
        if (!answer.headers['content-type']?.includes('html')) {
          response.writeHead(answer.statusCode!, answer.headers);
          answer.pipe(response);
          return;
        }
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () => {
          const body = this.change(Buffer.concat(parts).toString());
          const { 'content-length': _length, 'transfer-encoding': _encoding, ...headers } = answer.headers;
          response.writeHead(answer.statusCode!, headers).end(body);
        });
      });
      request.pipe(asking);
    });
    this.#listener.on('upgrade', (request: IncomingMessage, client: Duplex) => {
      const upstream = connect(Number(port), hostname);
      const head = [`${request.method} ${request.url} HTTP/1.1`];
      for (let i = 0; i < request.rawHeaders.length; i += 2) head.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
      upstream.write(`${head.join('\r\n')}\r\n\r\n`);
      for (const [one, other] of [[client, upstream], [upstream, client]] as const) {
        // Whatever ends one side ends the other.
        one.on('error', () => undefined);
        one.on('close', () => other.destroy());
        one.pipe(other);
      }
    });
  }

  static async before(upstream: { url: string }): Promise<Rewriter> {
    const rewriter = new Rewriter(upstream.url);
    rewriter.#listener.listen(0, '127.0.0.1');
    await once(rewriter.#listener, 'listening');
    return rewriter;
  }

  get url(): string {
    const address = this.#listener.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy is closed');
    return `http://127.0.0.1:${address.port}`;
  }

  close(): void {
    this.#listener.close();
    this.#listener.closeAllConnections();
  }
}

const ADDRESS = /\b[a-z]+@[a-z]+\.[a-z]+\b/g;

/** Hides e-mail addresses from what collects them, outside of scripts. */
export function hideAddresses(html: string): string {
  const hide = (part: string) => part.replace(ADDRESS, '<span class="__cf_email__" data-cfemail="5a31">[email&#160;protected]</span>');
  return html.replace(/(<script[^]*?<\/script>)|([^<]+)(?=<)/g, (_, script?: string, text?: string) => script ?? hide(text ?? ''));
}

/** The same by a filter that knows no HTML: in attributes and in scripts as well. */
export function hideAddressesEverywhere(html: string): string {
  return html.replace(ADDRESS, 'hidden');
}

/** As what makes pages smaller does. */
export function cutComments(html: string): string {
  return html.replace(/<!(--[^]*?--)?>/g, '');
}
