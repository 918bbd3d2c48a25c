import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, Program } from './process';

/** A real `redis-server` with a folder of its own. */
export class Redis {
  #program: Program | undefined;

  private constructor(
    readonly port: number,
    readonly folder: string,
  ) {}

  static async start(): Promise<Redis> {
    for (let attempt = 1; ; attempt++) {
      const redis = new Redis(await freePort(), await mkdtemp(join(tmpdir(), 'hubbub-redis-')));
      try {
        await redis.resume();
        return redis;
      } catch (error) {
        const taken = redis.#program?.output.includes('Address already in use');
        await redis.remove();
        if (!taken || attempt === 5) throw error;
      }
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it where it stopped: same port, same data. */
  async resume(): Promise<void> {
    const settings = ['--bind', '127.0.0.1', '--port', `${this.port}`, '--dir', this.folder];
    const durable = ['--appendonly', 'yes', '--save', '', '--maxmemory-policy', 'noeviction'];
    this.#program = new Program('redis-server', 'redis-server', [...settings, ...durable]);
    await this.#program.ready(() => this.#answers());
  }

  /** Forgets what it knows of every room, as a backup from before that was put back; not who is signed in. */
  async loseRooms(): Promise<void> {
    const script = `for _, key in ipairs(redis.call('KEYS', 'hubbub:{*')) do redis.call('DEL', key) end`;
    await promisify(execFile)('redis-cli', ['-p', `${this.port}`, 'EVAL', script, '0']);
  }

  /** Ends it, data kept: gently, or with SIGKILL as in a crash. SIGSTOP and SIGCONT make it hang and go on. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#program?.stop(signal);
  }

  signal(signal: NodeJS.Signals): void {
    this.#program?.signal(signal);
  }

  async remove(): Promise<void> {
    await this.#program?.stop('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }

  #answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = createConnection(this.port, '127.0.0.1', () => socket.write('PING\r\n'));
      socket.setTimeout(1_000, () => socket.destroy());
      socket.once('data', (reply) => {
        socket.destroy();
        resolve(reply.toString().startsWith('+PONG'));
      });
      socket.once('error', () => undefined);
      socket.once('close', () => resolve(false));
    });
  }
}
