import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort, Program } from './process';
import { Redis } from './redis';
import { Server } from './server';

export const BALANCERS = ['caddy', 'nginx', 'haproxy'] as const;
export type Kind = (typeof BALANCERS)[number];

type Changes = readonly (readonly [shipped: string, tested: string])[];
interface Configuration {
  /** In `deploy/proxy/`. */
  file: string;
  /** What the program is told before its configuration's path. */
  args: readonly string[];
  /** What is another here than where it is shipped to: addresses, and what belongs to them. */
  changes: (port: number, one: string, two: string, folder: string) => Changes;
}

const CONFIGURATIONS: Record<Kind, Configuration> = {
  caddy: {
    file: 'Caddyfile',
    args: ['run', '--adapter', 'caddyfile', '--config'],
    changes: (port, one, two) => [
      ['chat.example.com {', `http://127.0.0.1:${port} {`],
      ['127.0.0.1:3001', one],
      ['127.0.0.1:3002', two],
    ],
  },
  nginx: {
    file: 'nginx.conf',
    args: ['-g', 'daemon off;', '-e', 'stderr', '-c'],
    changes: (port, one, two, folder) => [
      ['listen 8080;', `listen 127.0.0.1:${port};`],
      ['hubbub-1:3000', one],
      ['hubbub-2:3000', two],
      ['/tmp/', `${folder}/`],
    ],
  },
  haproxy: {
    file: 'haproxy.cfg',
    args: ['-f'],
    changes: (port, one, two) => [
      // Each takes two open files, of which a machine that tests allows fewer.
      ['maxconn 40000', 'maxconn 1000'],
      [':443 ssl crt /etc/haproxy/chat.example.com.pem alpn h2,http/1.1', `127.0.0.1:${port}`],
      ['X-Forwarded-Proto https', 'X-Forwarded-Proto http'],
      ['127.0.0.1:3001', one],
      ['127.0.0.1:3002', two],
    ],
  },
};

/** Where `scripts/setup.sh test` puts it, unless the machine has it. */
function program(kind: Kind): string {
  const { HUBBUB_TOOLS, XDG_CACHE_HOME } = process.env;
  const tools = HUBBUB_TOOLS ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'hubbub/tools');
  const own = join(tools, kind, 'bin', kind);
  return existsSync(own) ? own : kind;
}

/** Two instances on one Redis behind a proxy, as `deploy/proxy/` has it but for the addresses. */
export class Balanced {
  #proxy: Program | undefined;

  private constructor(
    readonly kind: Kind,
    readonly port: number,
    readonly folder: string,
    readonly redis: Redis,
    readonly servers: readonly [Server, Server],
  ) {}

  static async behind(kind: Kind): Promise<Balanced> {
    for (let attempt = 1; ; attempt++) {
      const balanced = await Balanced.#instances(kind);
      try {
        await balanced.#begin();
        return balanced;
      } catch (error) {
        const taken = /address already in use/i.test(balanced.output);
        await balanced.remove();
        if (!taken || attempt === 5) throw error;
      }
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The last of what each of them logged. */
  get output(): string {
    const [one, two] = this.servers;
    return [this.#proxy?.output, one.output, two.output].join('\n--\n');
  }

  /** Asks for pages until this instance has answered one since it was started: the proxy has found it again. */
  async untilItServes(server: Server, within = 15_000): Promise<void> {
    const deadline = Date.now() + within;
    do {
      await (await fetch(`${this.url}/`)).text();
      if (await server.counted('hubbub_http_requests_total{method="GET",route="/",')) return;
    } while (Date.now() < deadline);
    throw new Error(`${this.kind} sends nothing to the instance on port ${server.port}. It printed:\n${this.#proxy?.output}`);
  }

  async remove(): Promise<void> {
    await this.#proxy?.stop();
    await Promise.all(this.servers.map((server) => server.remove()));
    await this.redis.remove();
    await rm(this.folder, { recursive: true, force: true });
  }

  static async #instances(kind: Kind): Promise<Balanced> {
    // They have to know the address before the proxy listens there.
    const port = await freePort();
    const env = { HUBBUB_PUBLIC_URL: `http://127.0.0.1:${port}`, HUBBUB_TRUSTED_PROXIES: '127.0.0.1' };
    const redis = await Redis.start();
    const options = { redis, metrics: true, env };
    const servers = [await Server.start(options), await Server.start(options)] as const;
    return new Balanced(kind, port, await mkdtemp(join(tmpdir(), 'hubbub-proxy-')), redis, servers);
  }

  async #begin(): Promise<void> {
    const { file, args, changes } = CONFIGURATIONS[this.kind];
    let text = await readFile(resolve(import.meta.dirname, '../../../deploy/proxy', file), 'utf8');
    const [one, two] = this.servers.map(({ port }) => `127.0.0.1:${port}`) as [string, string];
    for (const [shipped, tested] of changes(this.port, one, two, this.folder)) {
      if (!text.includes(shipped)) throw new Error(`${file} has no ${shipped}`);
      text = text.replaceAll(shipped, tested);
    }
    const path = join(this.folder, file);
    await writeFile(path, text);
    this.#proxy = new Program(this.kind, program(this.kind), [...args, path], { ...process.env, HOME: this.folder });
    await this.#proxy.ready(async () => (await fetch(`${this.url}/`)).ok);
  }
}
