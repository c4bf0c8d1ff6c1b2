// The servers of a sweep on one database, and its command line. Everything may be killed and started again.
import { spawn } from 'node:child_process';
import { accessSync, constants, createWriteStream, mkdirSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { BenchError, folder, freePort, track } from '../processes.js';

const binary = resolve(process.env.COUNTERSIGN_BIN ?? join(import.meta.dirname, '../../../target/release/countersign'));
/** No answer and no command may take longer, in milliseconds: the server's own deadline is 30 s. */
export const LONGEST_ANSWER = 35_000;
/** How long a load balancer waits for `/readyz`. */
const LONGEST_PROBE = 5000;

export class Site {
  /** `nodes` servers; `wrap` is put before the command of a server, `env` is for servers and commands. */
  static async make(name, { databaseUrl, dataDir, nodes = 1, durability = 'process', env = {}, wrap = [] } = {}) {
    try {
      accessSync(binary, constants.X_OK);
    } catch {
      throw new BenchError(`${binary} is missing. Build it with: cargo build --release`);
    }
    const site = new Site();
    site.folder = join(folder, name);
    site.dataDir = dataDir ?? join(site.folder, 'data');
    mkdirSync(site.folder, { recursive: true });
    const ports = await Promise.all(Array.from({ length: nodes }, freePort));
    site.origin = `http://localhost:${ports[0]}`;
    const foreign = Object.entries(process.env).filter(([key]) => !key.startsWith('COUNTERSIGN_'));
    site.env = {
      ...Object.fromEntries(foreign),
      COUNTERSIGN_DATA_DIR: site.dataDir,
      COUNTERSIGN_PUBLIC_URL: site.origin,
      COUNTERSIGN_LEDGER_DURABILITY: durability,
      // Each request comes from an address of its own, so that wrong secrets are not limited.
      COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.1',
      ...(databaseUrl ? { COUNTERSIGN_DATABASE_URL: databaseUrl } : {}),
      ...env,
    };
    site.nodes = ports.map((port, number) => new Node(site, port, number, wrap));
    site.commands = new Set();
    site.panics = [];
    return site;
  }

  /** Starts the servers one after the other. */
  async start() {
    for (const node of this.nodes) if (!node.isRunning) await node.start();
  }

  async kill() {
    for (const node of this.nodes) await node.kill();
  }

  /** Runs a command to its end; resolves to how it ended and what it printed. */
  command(args, { input = '' } = {}) {
    const child = track(spawn(binary, args, { cwd: this.folder, env: this.env }));
    this.commands.add(child);
    child.stdin.on('error', () => {}); // it may end without reading
    child.stdin.end(input);
    const said = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr']) child[stream].on('data', (chunk) => (said[stream] += chunk));
    const began = performance.now();
    return new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.commands.delete(child);
        if (said.stderr.includes('panicked')) this.panics.push(said.stderr);
        resolve({ code, signal, took: performance.now() - began, ...said });
      });
    });
  }

  /** The output of a command that must succeed. */
  async run(args, options) {
    const { code, signal, stdout, stderr } = await this.command(args, options);
    if (code !== 0)
      throw new BenchError(`countersign ${args.join(' ')} failed (${signal ?? code}):\n${stderr || stdout}`);
    return stdout;
  }

  killCommands() {
    for (const child of this.commands) child.kill('SIGKILL');
  }
}

class Node {
  #child;
  #exited;

  constructor(site, port, number, wrap) {
    Object.assign(this, { site, number, wrap, address: `http://127.0.0.1:${port}`, isRunning: false, starts: 0 });
    // Before the server closes a connection that is not used (after ten seconds), the client does.
    this.agent = new Agent({ keepAlive: true, timeout: 8000 });
    this.env = { ...site.env, COUNTERSIGN_LISTEN: `127.0.0.1:${port}` };
    this.log = join(site.folder, `server-${number}.log`);
    this.lastLines = [];
  }

  get pid() {
    return this.#child.pid;
  }

  /** Starts it; resolves when it is ready. It is the caller who decides how long it waits. */
  async start() {
    const ready = this.launch();
    const why = await Promise.race([ready, this.#exited]);
    if (why !== 'ready') throw new BenchError(`Countersign did not start (${why}):\n${this.lastLines.join('\n')}`);
  }

  /** Starts it, and resolves to `ready` when it is. */
  launch() {
    const [command, ...args] = [...this.wrap, binary, 'serve'];
    this.#child = track(
      spawn(command, args, { cwd: this.site.folder, env: this.env, stdio: ['ignore', 'pipe', 'pipe'] }),
    );
    this.isRunning = true;
    const child = this.#child;
    const log = createWriteStream(this.log, { flags: 'a' });
    log.write(`-- started as process ${child.pid}\n`);
    createInterface({ input: child.stderr })
      .on('line', (line) => {
        log.write(`${line}\n`);
        this.lastLines = [...this.lastLines.slice(-19), line];
        if (line.includes('panicked')) this.site.panics.push(line);
      })
      .on('close', () => log.end());
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.isRunning = this.#child !== child && this.isRunning;
        resolve(signal ?? `exit code ${code}`);
      });
    });
    return new Promise((resolve) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.startsWith('Countersign is ready')) resolve('ready');
      });
    });
  }

  async kill() {
    this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  /**
   * Sends a request; resolves to its answer, or to why there is none: `lost` is then the code of the error. A request
   * that was never sent has `unsent`.
   */
  send(method, path, { headers = {}, body, deadline = LONGEST_ANSWER } = {}) {
    const began = performance.now();
    return new Promise((resolve) => {
      const lose = (error) =>
        resolve({
          lost: error.code ?? error.message,
          unsent: error.code === 'ECONNREFUSED',
          // The server closed a connection that nobody used, at the moment at which it was used again.
          stale: sent.reusedSocket && error.code === 'ECONNRESET',
          began,
          took: performance.now() - began,
        });
      const sent = request(
        this.address + path,
        {
          method,
          agent: this.agent,
          headers: { Host: new URL(this.site.origin).host, ...headers },
        },
        (answer) => {
          const chunks = [];
          answer
            .on('data', (chunk) => chunks.push(chunk))
            .on('error', lose)
            .on('end', () => {
              const text = `${Buffer.concat(chunks)}`;
              resolve({
                status: answer.statusCode,
                headers: answer.headers,
                text,
                began,
                took: performance.now() - began,
              });
            });
        },
      );
      const timer = setTimeout(
        () => sent.destroy(Object.assign(new Error('no answer'), { code: 'no answer' })),
        deadline,
      );
      sent
        .on('error', lose)
        .on('close', () => clearTimeout(timer))
        .end(body);
    });
  }

  /** Whether `/readyz` says that it is ready, and else the word for why not; nothing without an answer in time. */
  async readiness() {
    const { status, text } = await this.send('GET', '/readyz', { deadline: LONGEST_PROBE });
    return { isReady: status === 200, why: status === 503 ? text : null };
  }
}
