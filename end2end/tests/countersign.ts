import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import { stop } from './programs';

/** The program that is tested. */
export const binary = resolve(process.env.COUNTERSIGN_BIN ?? '../target/debug/countersign');

export type Credential = {
  client_id: string;
  client_secret: string;
  token_endpoint: string;
  issuer: string;
  mcp_server: string;
  scope: string;
  expires_at: string | null;
};

export type Person = { name: string; email: string; password: string };

/** The real binary on a free port, with a data folder of its own and the most detailed log. */
export class Countersign {
  url = '';
  setupLink = '';
  private readonly secrets = new Map<string, string>();
  private process!: ChildProcess;
  private log!: Promise<void>;

  private constructor(
    readonly folder: string,
    private readonly variables: Record<string, string>,
  ) {}

  static start(...options: string[]): Promise<Countersign> {
    return Countersign.startIn({}, ...options);
  }

  /** Starts it with further environment variables. */
  static async startIn(variables: Record<string, string>, ...options: string[]): Promise<Countersign> {
    const server = new Countersign(await mkdtemp(join(tmpdir(), 'countersign-')), variables);
    server.process = spawn(binary, ['serve', ...options], {
      cwd: server.folder,
      env: server.environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    process.once('exit', () => server.process.kill('SIGKILL'));
    const log = createWriteStream(join(server.folder, 'log'));
    server.process.stderr!.pipe(log);
    server.log = finished(log);
    for await (const line of createInterface({ input: server.process.stdout! })) {
      server.url ||= /^Countersign is ready at (\S+)$/.exec(line)?.[1] ?? '';
      server.setupLink = /http\S+\/setup\?token=\S+/.exec(line)?.[0] ?? '';
      if (server.setupLink) break;
    }
    if (!server.setupLink) throw new Error(`no setup link:\n${await readFile(join(server.folder, 'log'), 'utf8')}`);
    server.process.stdout!.resume();
    server.secret('setup token', new URL(server.setupLink).searchParams.get('token')!);
    return server;
  }

  private environment(): NodeJS.ProcessEnv {
    return {
      PATH: process.env.PATH,
      COUNTERSIGN_LISTEN: '127.0.0.1:0',
      COUNTERSIGN_DATA_DIR: join(this.folder, 'data'),
      COUNTERSIGN_LOG: 'trace',
      ...this.variables,
    };
  }

  /** Runs another `countersign` command on the same data; fails when the command fails. */
  command(args: string[], input = ''): Promise<string> {
    const env = { ...this.environment(), COUNTERSIGN_PUBLIC_URL: this.url };
    return new Promise((done, failed) => {
      const child = execFile(binary, args, { cwd: this.folder, env }, (error, stdout) =>
        error ? failed(error) : done(stdout),
      );
      // A command that reads no input may end before its input is closed. Its exit code tells whether it failed.
      child.stdin!.on('error', () => {});
      child.stdin!.end(input);
    });
  }

  /** Runs shell commands in which `countersign` works on the same data; fails when one of them fails. */
  shell(lines: string, environment: Record<string, string> = {}): Promise<string> {
    const PATH = `${dirname(binary)}:${process.env.PATH}`;
    const env = { ...this.environment(), COUNTERSIGN_PUBLIC_URL: this.url, ...environment, PATH };
    return new Promise((done, failed) =>
      execFile('bash', ['-euo', 'pipefail', '-c', lines], { cwd: this.folder, env }, (error, stdout) =>
        error ? failed(error) : done(stdout),
      ),
    );
  }

  /** Creates an administrator with the command line. */
  async createAdministrator({ email, name, password }: Person) {
    this.secret('password', password);
    await this.command(['admin', 'create', '--email', email, '--name', name, '--password-stdin'], password);
  }

  async createCredential(name: string, ...options: string[]): Promise<Credential> {
    const text = await this.command(['credential', 'create', '--name', name, '--format', 'json', ...options]);
    const credential = JSON.parse(text);
    this.secret(`secret of ${name}`, credential.client_secret);
    return credential;
  }

  exchange(id: string, secret: string, method: 'basic' | 'post' = 'basic'): Promise<Response> {
    this.secret(`basic header of ${id}`, btoa(`${id}:${secret}`));
    const body = new URLSearchParams({ grant_type: 'client_credentials' });
    if (method === 'post') {
      body.set('client_id', id);
      body.set('client_secret', secret);
    }
    const headers = method === 'basic' ? { Authorization: `Basic ${btoa(`${id}:${secret}`)}` } : undefined;
    return fetch(`${this.url}/mcp/oauth/token`, { method: 'POST', headers, body });
  }

  async accessToken(id: string, secret: string, method?: 'basic' | 'post'): Promise<string> {
    const response = await this.exchange(id, secret, method);
    const answer = await response.json();
    if (response.status !== 200) throw new Error(`${response.status} ${JSON.stringify(answer)}`);
    // The signature alone finds the token, also where only its last part was written.
    this.secret(`token of ${id}`, answer.access_token.split('.')[2]);
    return answer.access_token;
  }

  callMcp(token: string, method: string, params = {}): Promise<Response> {
    return fetch(`${this.url}/mcp`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${token}`,
        'Content-Type': 'application/json',
        Accept: 'application/json, text/event-stream',
        'MCP-Protocol-Version': '2025-11-25',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    });
  }

  /** Remembers a secret. `traces` looks for it: a secret must never be written to disk. */
  secret(what: string, value: string) {
    if (!value) throw new Error(`no value for ${what}`);
    this.secrets.set(what, value);
  }

  /** Where on disk the remembered secrets, or `others`, are found: log, database, journal, backups. */
  async traces(others?: Map<string, string>): Promise<string[]> {
    const found = [];
    for (const entry of await readdir(this.folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const content = await readFile(path, 'latin1');
      for (const [what, value] of others ?? this.secrets)
        if (spellings(value).some((spelling) => content.includes(spelling)))
          found.push(`${what} in ${relative(this.folder, path)}`);
    }
    return found;
  }

  async stop() {
    const code = await stop(this.process);
    await this.log;
    if (code !== 0) throw new Error(`the server ended with ${code}`);
  }

  remove() {
    return rm(this.folder, { recursive: true });
  }
}

/** A value in each encoding in which a file that is read as Latin-1 may hold it: raw, Base64, URL and JSON. */
function spellings(value: string): string[] {
  const bytes = Buffer.from(value);
  return [
    bytes.toString('latin1'),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
    encodeURIComponent(value),
    new URLSearchParams({ value }).toString().slice('value='.length),
    JSON.stringify(value).slice(1, -1),
  ];
}
