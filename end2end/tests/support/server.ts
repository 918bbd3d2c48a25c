import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { freePort, Program } from './process';
import type { Redis } from './redis';

export interface Options {
  /** Without one the server uses its embedded engine. */
  redis?: Redis;
  /** Whether it says what it counts; see `Server.counted`. */
  metrics?: boolean;
  /** Further settings, as environment variables. */
  env?: Record<string, string>;
}

/** The release: what `make build` made, or what `$HUBBUB_BIN` names. */
function binary(): string {
  const path = process.env.HUBBUB_BIN ?? resolve(import.meta.dirname, '../../../dist/hubbub');
  if (!existsSync(path)) throw new Error(`There is no server at ${path}: run make build.`);
  return path;
}

/** What a developer has set for their own server must not reach this one. */
function inherited(): Record<string, string | undefined> {
  const ours = /^(HUBBUB_|LEPTOS_|REDIS|PORT$|RUST_LOG$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}

/** A real server on a port and a data folder of its own. */
export class Server {
  #program: Program | undefined;

  private constructor(
    readonly port: number,
    readonly folder: string,
    readonly options: Options,
    readonly metricsPort: number | undefined,
  ) {}

  static async start(options: Options = {}): Promise<Server> {
    for (let attempt = 1; ; attempt++) {
      const folder = await mkdtemp(join(tmpdir(), 'hubbub-e2e-'));
      const server = new Server(await freePort(), folder, options, options.metrics ? await freePort() : undefined);
      try {
        await server.resume();
        return server;
      } catch (error) {
        const taken = /address (already )?in use/i.test(server.output);
        await server.remove();
        if (!taken || attempt === 5) throw error;
      }
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#program?.pid;
  }

  /** The last of what it logged. */
  get output(): string {
    return this.#program?.output ?? '';
  }

  /** Starts it where it stopped: same port, same data. */
  async resume(): Promise<void> {
    this.#program = new Program('hubbub', binary(), [], {
      ...inherited(),
      HUBBUB_HOST: '127.0.0.1',
      PORT: `${this.port}`,
      HUBBUB_DATA_DIR: this.folder,
      // The suites ask for more than people do.
      HUBBUB_LIMITS: '0',
      ...(this.options.redis && { REDIS_URL: this.options.redis.url }),
      ...(this.metricsPort !== undefined && { HUBBUB_METRICS: `127.0.0.1:${this.metricsPort}` }),
      ...this.options.env,
    });
    await this.#program.ready(async () => (await fetch(`${this.url}/health/ready`)).ok);
  }

  /** What one of the program's commands says, with this server's settings. */
  async command(...args: readonly string[]): Promise<string> {
    const env = { ...inherited(), HUBBUB_DATA_DIR: this.folder, ...(this.options.redis && { REDIS_URL: this.options.redis.url }) };
    const { stdout } = await promisify(execFile)(binary(), args, { env });
    return stdout.trim();
  }

  /** What it counts under names that begin like this, together, as Prometheus reads it. Needs `Options.metrics`. */
  async counted(series: string): Promise<number> {
    const metrics = await (await fetch(`http://127.0.0.1:${this.metricsPort}/metrics`)).text();
    const lines = metrics.split('\n').filter((line) => line.startsWith(series));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  /** Ends it, data kept: gently, or with SIGKILL as in a crash. It is an error if that takes longer than `within` milliseconds. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', within?: number): Promise<void> {
    await this.#program?.stop(signal, within);
  }

  /** SIGSTOP and SIGCONT make it hang and go on. */
  signal(signal: NodeJS.Signals): void {
    this.#program?.signal(signal);
  }

  /** Ends it gently and removes its data. */
  async remove(): Promise<void> {
    try {
      await this.#program?.stop();
    } finally {
      await rm(this.folder, { recursive: true, force: true });
    }
  }
}
