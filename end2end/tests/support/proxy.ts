import { once } from 'node:events';
import { createServer, connect, type Server as Listener, type Socket } from 'node:net';
import type { Server } from './server';

interface Pair {
  client: Socket;
  upstream: Socket;
  isWebSocket: boolean;
}

/** Stands between a browser and a server, and fails their WebSockets on demand. Pages and forms pass. */
export class Proxy {
  readonly #pairs = new Set<Pair>();
  readonly #listener: Listener;
  #isCut = false;

  private constructor(server: Server) {
    this.#listener = createServer((client) => this.#pass(client, server.port));
  }

  static async before(server: Server): Promise<Proxy> {
    const proxy = new Proxy(server);
    proxy.#listener.listen(0, '127.0.0.1');
    await once(proxy.#listener, 'listening');
    return proxy;
  }

  get url(): string {
    const address = this.#listener.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy is closed');
    return `http://127.0.0.1:${address.port}`;
  }

  /** Ends every WebSocket, and lets no other one through. */
  cut(): void {
    this.#isCut = true;
    for (const pair of this.#webSockets()) pair.client.destroy();
  }

  /** Of what the server says on the present WebSockets, nothing arrives any more. */
  mute(): void {
    for (const pair of this.#webSockets()) {
      pair.upstream.unpipe(pair.client);
      // Read on, so that the server notices nothing.
      pair.upstream.resume();
    }
  }

  /** Lets new WebSockets through again. */
  restore(): void {
    this.#isCut = false;
  }

  async close(): Promise<void> {
    this.#listener.close();
    for (const pair of this.#pairs) pair.client.destroy();
    await once(this.#listener, 'close');
  }

  #webSockets(): Pair[] {
    return [...this.#pairs].filter((pair) => pair.isWebSocket);
  }

  #pass(client: Socket, port: number): void {
    const upstream = connect(port, '127.0.0.1');
    const pair = { client, upstream, isWebSocket: false };
    this.#pairs.add(pair);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      // Whatever ends one side ends the other.
      one.on('error', () => undefined);
      one.on('close', () => other.destroy());
    }
    client.on('close', () => this.#pairs.delete(pair));
    client.once('data', (head: Buffer) => {
      pair.isWebSocket = head.toString('latin1', 0, 8) === 'GET /ws ';
      if (pair.isWebSocket && this.#isCut) {
        client.destroy();
        return;
      }
      upstream.write(head);
      client.pipe(upstream);
      upstream.pipe(client);
    });
  }
}
