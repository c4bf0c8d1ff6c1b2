import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { changed } from './documents';
import { freePort, stop } from './programs';

/** A certificate authority with one certificate, for `localhost`. All are files of `folder`. */
export class Authority {
  readonly file: string;
  readonly key: string;
  readonly pem: string;
  readonly certificate: string;
  readonly certificateKey: string;
  /** The certificate and its key in one file. */
  readonly both: string;

  constructor(folder: string) {
    const path = (name: string) => join(folder, name);
    [this.file, this.key] = [path('ca.pem'), path('ca.key')];
    [this.certificate, this.certificateKey, this.both] = [path('own.pem'), path('own.key'), path('both.pem')];
    sign(this.file, this.key, 'Authority of the test');
    const issuer = ['-CA', this.file, '-CAkey', this.key];
    const extensions = ['-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE'];
    sign(this.certificate, this.certificateKey, 'localhost', ...issuer, ...extensions);
    writeFileSync(this.both, readFileSync(this.certificate, 'utf8') + readFileSync(this.certificateKey, 'utf8'));
    this.pem = readFileSync(this.file, 'utf8');
  }
}

function sign(certificate: string, key: string, name: string, ...options: string[]) {
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const files = ['-keyout', key, '-out', certificate, '-subj', `/CN=${name}`];
  execFileSync('openssl', ['req', '-x509', ...kind, ...files, ...options], { stdio: 'pipe' });
}

export type Kind = 'nginx' | 'caddy' | 'haproxy';
type Place = { folder: string; port: number; upstream: number; authority: Authority };
type Command = [program: string, ...options: string[]];

/**
 * How each proxy is started in the foreground, by any user, with the lines of the documents. Only addresses and paths
 * are changed in them, and what stands around them says where files are.
 */
type Start = (lines: string, place: Place) => { configuration: string; command: (file: string) => Command };
const starts: Record<Kind, Start> = {
  nginx: (lines, { folder, port, upstream, authority }) => {
    const { username, uid } = userInfo();
    for (const [from, to] of [
      ['server 127.0.0.1:8080;', `server 127.0.0.1:${upstream};`],
      ['listen 443 ', `listen 127.0.0.1:${port} `],
      ['listen 80;', `listen 127.0.0.1:${port};`],
      ['/etc/ssl/auth.example.com.pem', authority.certificate],
      ['/etc/ssl/auth.example.com.key', authority.certificateKey],
      ['/var/log/nginx/', `${folder}/`],
    ])
      lines = lines.replace(from, to);
    const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`);
    return {
      configuration: [
        // Otherwise the workers of root belong to a user who cannot open the folder.
        uid === 0 ? `user ${username};` : '',
        'daemon off; pid pid; error_log stderr; events {}',
        `http { access_log off; ${folders.join(' ')}\n${lines}\n}`,
      ].join('\n'),
      command: (file) => ['nginx', '-e', 'stderr', '-p', folder, '-c', file],
    };
  },
  caddy: (lines, { folder, port, upstream, authority }) => {
    lines = changed(lines, '127.0.0.1:8080', `127.0.0.1:${upstream}`);
    lines = lines.replace('10.0.3.7', '127.0.0.0/8');
    lines = lines.replace(/^(http:\/\/)?auth\.example\.com/m, (_, http) => `${http ?? 'https://'}localhost:${port}`);
    return {
      configuration: `{
        admin off
        default_bind 127.0.0.1
        auto_https disable_redirects
        skip_install_trust
        storage file_system ${folder}/storage
        pki {
          ca local {
            root {
              cert ${authority.file}
              key ${authority.key}
            }
          }
        }
      }\n${lines}`,
      command: (file) => ['caddy', 'run', '--adapter', 'caddyfile', '--config', file],
    };
  },
  haproxy: (lines, { port, upstream, authority }) => {
    lines = changed(lines, '127.0.0.1:8080', `127.0.0.1:${upstream}`);
    lines = changed(lines, 'bind :', 'bind 127.0.0.1:').replace(/bind 127\.0\.0\.1:\d+/, `bind 127.0.0.1:${port}`);
    lines = lines.replace('/etc/haproxy/auth.example.com.pem', authority.both);
    return {
      configuration: `global\n    log stdout format raw local0\n    maxconn 200\n${lines}\n`,
      command: (file) => ['haproxy', '-db', '-f', file],
    };
  },
};

/** A proxy on a free port of 127.0.0.1. */
export class Proxy {
  private constructor(
    readonly port: number,
    private readonly process: ChildProcess,
  ) {}

  /**
   * Starts it in a new folder below `below`, where its output is kept too, and waits until it listens. Without `at`, it
   * takes a free port.
   */
  static async start(
    kind: Kind, lines: string, below: string, upstream: number, authority: Authority, at?: number,
  ): Promise<Proxy> {
    const own = mkdtempSync(join(below, `${kind}-`));
    const port = at ?? (await freePort());
    const { configuration, command } = starts[kind](lines, { folder: own, port, upstream, authority });
    const file = join(own, 'configuration');
    writeFileSync(file, configuration);
    const [program, ...options] = command(file);
    const PATH = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;
    const child = spawn(program, options, { cwd: own, env: { PATH, HOME: own }, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = createWriteStream(join(own, 'output'));
    for (const stream of [child.stdout!, child.stderr!]) stream.pipe(output, { end: false });
    let ended: unknown;
    child.once('error', (error) => (ended = error)).once('exit', (code) => (ended ??= `exit code ${code}`));
    // Not SIGKILL: nginx would leave its workers behind.
    const kill = () => child.kill('SIGTERM');
    process.once('exit', kill);
    child.once('exit', () => process.off('exit', kill));
    while (!ended && !(await listens(port)));
    if (ended) throw new Error(`${program}: ${ended}\n${readFileSync(join(own, 'output'), 'utf8')}\n${configuration}`);
    return new Proxy(port, child);
  }

  stop(): Promise<unknown> {
    return stop(this.process);
  }
}

/** Whether a program listens on this port. */
function listens(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => socket.destroy().once('close', () => done(true)));
    socket.once('error', () => setTimeout(() => done(false), 20));
  });
}

/**
 * The way from clients to the proxy. It listens at the public address, and whoever comes reaches the proxy from
 * `client`: no browser and no SDK can choose the address that it comes from. It needs Linux, where a program may use
 * each address of 127.0.0.0/8.
 */
export class Network {
  client = '';
  private proxy = 0;
  private readonly open = new Set<Socket>();

  private constructor(
    readonly port: number,
    private readonly server: Server,
  ) {}

  static async start(): Promise<Network> {
    const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const network = new Network((server.address() as { port: number }).port, server);
    server.on('connection', (socket) => network.forward(socket));
    return network;
  }

  private forward(socket: Socket) {
    const options = { port: this.proxy, host: '127.0.0.1', localAddress: this.client, noDelay: true };
    const other = connect(options);
    for (const [from, to] of [[socket, other], [other, socket]]) {
      this.open.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => this.open.delete(from) && to.destroy());
      from.pipe(to);
    }
  }

  /** From now on everything goes to this proxy, from this address. */
  lead(proxy: Proxy, client: string) {
    [this.proxy, this.client] = [proxy.port, client];
    for (const socket of this.open) socket.destroy();
  }

  close() {
    for (const socket of this.open) socket.destroy();
    this.server.close();
  }
}
