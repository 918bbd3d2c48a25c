import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const running = new Set<ChildProcess>();

// A worker that dies takes its processes along.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A port that nothing listened on a moment ago. Someone else may take it first: be ready to try another. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

/** A process that tests start and stop, with what it printed. */
export class Program {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #output = '';
  #failure: Error | undefined;

  constructor(
    readonly name: string,
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string | undefined>> = process.env,
  ) {
    this.#child = spawn(command, args, { env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(this.#child);
    const keep = (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-64 * 1024);
    };
    this.#child.stdout?.on('data', keep);
    this.#child.stderr?.on('data', keep);
    this.#ended = new Promise((resolve) => {
      const end = (failure?: Error) => {
        this.#failure ??= failure;
        running.delete(this.#child);
        resolve();
      };
      this.#child.once('error', end);
      this.#child.once('close', () => end());
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The last of what it printed. */
  get output(): string {
    return this.#output;
  }

  get alive(): boolean {
    return running.has(this.#child);
  }

  /** Waits until `probe` answers true, or fails with what the program printed. */
  async ready(probe: () => Promise<boolean>, within = 10_000): Promise<void> {
    const deadline = Date.now() + within;
    while (Date.now() < deadline) {
      if (!this.alive) throw new Error(`${this.name} ended before it was ready. ${this.#story()}`);
      if (await probe().catch(() => false)) return;
      await Promise.race([sleep(25), this.#ended]);
    }
    throw new Error(`${this.name} was not ready within ${within} ms. ${this.#story()}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Asks it to end and waits; one that has not after `within` is killed, which is an error. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', within = 15_000): Promise<void> {
    if (!this.alive) return;
    this.signal(signal);
    const patience = new AbortController();
    const late = sleep(within, 'late', { signal: patience.signal }).catch(() => undefined);
    const first = await Promise.race([this.#ended, late]);
    patience.abort();
    if (first === 'late') {
      this.signal('SIGKILL');
      await this.#ended;
      throw new Error(`${this.name} did not end within ${within} ms of ${signal}. ${this.#story()}`);
    }
  }

  #story(): string {
    const code = this.#failure?.message ?? this.#child.exitCode ?? this.#child.signalCode ?? 'still running';
    return `Exit: ${code}. It printed:\n${this.#output || '(nothing)'}`;
  }
}
