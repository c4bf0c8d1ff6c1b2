import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from '@playwright/test';
import { binary, Countersign, type Credential } from './countersign';
import { changed, file, line, program } from './documents';
import { freePort, node, serving } from './programs';
import { Authority, Proxy } from './proxies';

/** MCP servers that check no tokens, behind the gateway, as docs/gateway.md says; and the clients of other people. */
test.describe.configure({ mode: 'serial' });

let server: Countersign;
let folder: string;
let metricsPort: number;
/** The ports on which MCP servers listen, by the name of the server. */
const ports = { docs: 0, everything: 0, stdio: 0 };
let everything: string;

test.beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gateway-'));
  for (const name of Object.keys(ports) as (keyof typeof ports)[]) ports[name] = await freePort();
  const hosts = Object.values(ports).map((port) => `127.0.0.1:${port}`);
  metricsPort = await freePort();
  // The commands read these settings too.
  const settings = { COUNTERSIGN_PRIVATE_UPSTREAMS: hosts.join(',') };
  server = await Countersign.startIn(settings, '--metrics-listen', `127.0.0.1:${metricsPort}`);
  everything = `${server.url}/gateway/everything`;
});

test.afterAll(async () => {
  await server.shell('rm -f *.env');
  const places = await server.traces();
  await server.stop();
  expect(places.concat(await server.traces())).toEqual([]);
  await server.remove();
  rmSync(folder, { recursive: true });
});

/** A program of the guide with the addresses of this test. */
function here(name: string, port = 0): string {
  const text = program(name).replaceAll('https://auth.example.com', server.url);
  return port ? text.replace('9000', `${port}`) : text;
}

const environment = (more: Record<string, string> = {}) => ({
  PATH: `${dirname(node())}:${resolve('.venv-mcp-proxy/bin')}:${process.env.PATH}`,
  HOME: folder,
  ...more,
});

/** Serves an MCP server with this command of a shell, until `use` has used it. */
async function upstream(port: number, command: string, use: () => Promise<void>) {
  await serving('bash', ['-euc', command], { env: environment() }, async () => {
    const answers = () => fetch(`http://127.0.0.1:${port}/mcp`, { method: 'OPTIONS' }).then(() => true, () => false);
    await expect.poll(answers, { timeout: 60_000 }).toBe(true);
    await use();
  });
}

const documentedServer = (use: () => Promise<void>) => {
  const path = join(folder, 'server.py');
  writeFileSync(path, changed(program('gateway-fastmcp'), 'port=9000', `port=${ports.docs}`));
  return upstream(ports.docs, `exec ${resolve('.venv/bin/python')} ${path}`, use);
};
const everythingServer = (use: () => Promise<void>) =>
  upstream(ports.everything, here('gateway-everything', ports.everything), use);

function run(command: string, args: string[], env: Record<string, string>, input = '') {
  return new Promise<{ code: number; output: string }>((done) => {
    const child = execFile(command, args, { env: environment(env) }, (error, output, errors) =>
      done({ code: error ? 1 : 0, output: output + errors }),
    );
    child.stdin!.end(input);
  });
}

const variables = ({ client_id, client_secret, mcp_server, token_endpoint }: Credential) => ({
  MCP_CLIENT_ID: client_id,
  MCP_CLIENT_SECRET: client_secret,
  MCP_SERVER_URL: mcp_server,
  MCP_TOKEN_URL: token_endpoint,
});

/** A token for what is behind the gateway. */
async function token({ client_id, client_secret }: Credential): Promise<string> {
  return server.accessToken(client_id, client_secret);
}

/** How many tokens the server has issued. */
async function exchanges(): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return Number(/^countersign_exchanges_total (\d+)$/m.exec(text)![1]);
}

/** One call of a tool, in a session of its own. */
async function call(url: string, bearer: string, name: string, args: object): Promise<{ status: number; text: string }> {
  const headers: Record<string, string> = {
    Authorization: `Bearer ${bearer}`,
    'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
  };
  const post = (message: object) =>
    fetch(url, { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', ...message }) });
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
  const begun = await post({ id: 1, method: 'initialize', params });
  await begun.text();
  if (begun.status !== 200) return { status: begun.status, text: '' };
  const session = begun.headers.get('mcp-session-id');
  if (session) headers['Mcp-Session-Id'] = session;
  await post({ method: 'notifications/initialized' });
  const answer = await post({ id: 2, method: 'tools/call', params: { name, arguments: args } });
  return { status: answer.status, text: await answer.text() };
}

test('a FastMCP server is put behind the gateway, and its tools are given to scopes', async () => {
  await documentedServer(async () => {
    expect(await server.shell(here('gateway-add', ports.docs))).toContain('2 tools');
    await server.shell(here('gateway-credential'));
    const text = await server.shell('cat docs-reader.env');
    const reader = Object.fromEntries(text.trim().split('\n').map((written) => written.split(/=(.*)/).slice(0, 2)));
    server.secret('secret of docs-reader', reader.MCP_CLIENT_SECRET);
    const asked = { client_id: reader.MCP_CLIENT_ID, client_secret: reader.MCP_CLIENT_SECRET } as Credential;
    const whole = await token(asked);
    const url = reader.MCP_SERVER_URL;
    expect(url).toBe(`${server.url}/gateway/docs`);
    expect(await call(url, whole, 'search', { query: 'sand' })).toMatchObject({ status: 200 });

    // The official SDKs find the authorization server, get a token and call.
    const python = changed(program('python'), 'call_tool("whoami")', 'call_tool("search", {"query": "sand"})');
    const inPython = await run('.venv/bin/python', ['-'], reader, python);
    expect(inPython.output).toContain('Pages about sand');
    const node18 = changed(program('typescript'), `name: 'whoami'`, `name: 'search', arguments: { query: 'sand' }`);
    const inNode = await run(process.execPath, ['--input-type=module', '-'], reader, node18);
    expect(inNode.output).toContain('Pages about sand');

    // Now one scope allows one tool.
    const listed = await server.shell(here('gateway-allow'));
    expect(listed).toMatch(/search/);
    const narrow = await server.createCredential('narrow', '--mcp-server', url, '--scope', 'docs:read');
    const narrowToken = await token(narrow);
    expect((await call(url, narrowToken, 'search', { query: 'sand' })).status).toBe(200);
    expect((await call(url, narrowToken, 'delete_page', { name: 'sand' })).status).toBe(403);
    const seen = await run('.venv/bin/python', ['-'], variables(narrow), python);
    expect(seen.output).toContain('search');
    expect(seen.output).not.toContain('delete_page');

    // The header for the server is written nowhere that somebody can read.
    const DOCS_KEY = 'key-of-docs-0123456789abcdef';
    server.secret('key of docs', DOCS_KEY);
    await server.shell(here('gateway-header'), { DOCS_KEY });
    expect(await server.command(['server', 'show', url])).toContain('Authorization');

    // A revoked credential is refused at once.
    await server.command(['credential', 'revoke', narrow.client_id, '--reason', 'replaced']);
    expect((await call(url, narrowToken, 'search', { query: 'sand' })).status).toBe(401);
    expect(await server.command(['credential', 'show', narrow.client_id])).toContain('search');
  });
});

test('the official SDK for Rust, with a secret and with keys', async () => {
  await everythingServer(async () => {
    await server.command([
      'server', 'add', '--name', 'Everything', '--upstream', `http://127.0.0.1:${ports.everything}/mcp`,
      '--token-lifetime', '60s',
    ]);
    const ways = resolve('../target/debug/ways');
    const of = { MCP_TOOL: 'get-env', MCP_SCOPE: '' };
    const secret = await server.createCredential('Rust, secret', '--mcp-server', everything);
    const withSecret = await run(ways, ['secret'], { ...variables(secret), ...of });
    expect(withSecret, withSecret.output).toMatchObject({ code: 0 });
    expect(withSecret.output).toContain('trigger-long-running-operation');
    for (const algorithm of ['ES256', 'RS256']) {
      const { publicKey, privateKey } =
        algorithm === 'ES256'
          ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
          : generateKeyPairSync('rsa', { modulusLength: 2048 });
      const [open, closed] = ['public', 'private'].map((half) => join(folder, `${half}-${algorithm}.pem`));
      writeFileSync(open, publicKey.export({ format: 'pem', type: 'spki' }));
      writeFileSync(closed, privateKey.export({ format: 'pem', type: 'pkcs8' }));
      const made = await server.command([
        'credential', 'create', '--name', algorithm, '--public-key', open, '--format', 'json',
        '--mcp-server', everything,
      ]);
      const MCP_CLIENT_ID = JSON.parse(made).client_id;
      const env = { MCP_SERVER_URL: everything, MCP_CLIENT_ID, MCP_PRIVATE_KEY_FILE: closed, ...of };
      const withKey = await run(ways, [`key ${algorithm}`], env);
      expect(withKey, withKey.output).toMatchObject({ code: 0 });
      expect(withKey.output).toContain('trigger-long-running-operation');
    }
  });
});

test('a desktop client works for more than ten lifetimes of a token, with what the server asks of it', async () => {
  // It sets the clock of the client alone, so that its tokens of 60 seconds end after three.
  const library = readdirSync('/usr/lib')
    .map((name) => `/usr/lib/${name}/faketime/libfaketimeMT.so.1`)
    .find((path) => existsSync(path));
  if (!library) throw new Error('libfaketime is missing: install it');
  await everythingServer(async () => {
    const credential = await server.createCredential('desktop', '--mcp-server', everything);
    // What the page that shows the secret says, as the guide does.
    const desktop = (url: string, id: string, secret: string) =>
      JSON.parse(
        readFileSync('../app/snippets/connect/desktop.json', 'utf8')
          .replace('__OBJECT__', 'docs')
          .replace('__ISSUER__', new URL(url).origin)
          .replace('__SERVER_URL__', url)
          .replace('__CLIENT_ID__', id)
          .replace('__SECRET__', secret),
      );
    const inGuide = JSON.parse(file('desktop.json'));
    expect(inGuide).toEqual(desktop('https://auth.example.com/gateway/docs', 'csc_…', 'css_…'));
    const shown = desktop(everything, credential.client_id, credential.client_secret).mcpServers.docs;
    expect(shown.command).toBe('countersign');
    const start = {
      command: binary,
      args: shown.args,
      env: { ...shown.env, LD_PRELOAD: library, FAKETIME: '+0 x20' },
    };
    const before = await exchanges();
    const output = await new Promise<string>((done, failed) => {
      const args = ['clients/gateway/everything.mjs', 'command'];
      const env = environment({ CONNECT: JSON.stringify(start) });
      const child = execFile(node(), args, { env }, (error, output, errors) =>
        error ? failed(new Error(output + errors)) : done(output + errors),
      );
      // A token of 60 seconds is renewed after 48, so this is more than 600 seconds of the client.
      expect
        .poll(async () => (await exchanges()) - before, { timeout: 120_000 })
        .toBeGreaterThan(14)
        .catch(failed)
        .finally(() => child.stdin!.end());
    });
    expect(output).toContain('hello');
    // The last step and the result may come by two streams, in any order.
    expect(output).toMatch(/[1-4] steps/);
    expect(output).toContain('sampled by the client');
    expect(output).toContain('told by the person');
    expect(Number(/(\d+) calls/.exec(output)![1])).toBeGreaterThan(100);
  });
});

test('a desktop client of 2026-07-28 speaks that version with the server', async () => {
  const { client_id, client_secret, mcp_server } = await server.createCredential('modern');
  const env = { MCP_CLIENT_ID: client_id, MCP_CLIENT_SECRET: client_secret };
  const CONNECT = JSON.stringify({ command: binary, args: ['connect', mcp_server], env });
  const { code, output } = await run(process.execPath, ['clients/gateway/modern.mjs'], { CONNECT });
  expect(code, output).toBe(0);
  expect(output).toContain('2026-07-28');
  expect(output).toContain(client_id);
});

test('progress, sampling and elicitation reach the official SDK over HTTP, also through nginx', async () => {
  const port = await freePort();
  const listen = await freePort();
  const url = `http://localhost:${port}`;
  const hosts = `127.0.0.1:${ports.everything}`;
  const behind = await Countersign.startIn(
    { COUNTERSIGN_PRIVATE_UPSTREAMS: hosts },
    '--listen', `127.0.0.1:${listen}`, '--public-url', url, '--trusted-proxies', '127.0.0.1',
  );
  let lines = changed(program('nginx'), '    location / {', `${program('gateway-nginx')}\n    location / {`);
  lines = changed(lines, 'listen 443 ssl http2;', line('listen 80;'));
  lines = changed(lines, '    ssl_certificate /etc/ssl/auth.example.com.pem;\n', '');
  lines = changed(lines, '    ssl_certificate_key /etc/ssl/auth.example.com.key;\n', '');
  const proxy = await Proxy.start('nginx', lines, behind.folder, listen, new Authority(folder), port);
  try {
    await everythingServer(async () => {
      await behind.command(['server', 'add', '--name', 'Everything', '--upstream', `http://${hosts}/mcp`]);
      const credential = await behind.createCredential('SDK', '--mcp-server', `${url}/gateway/everything`);
      const { code, output } = await run(node(), ['clients/gateway/everything.mjs', 'http'], variables(credential));
      expect(code, output).toBe(0);
      expect(output).toMatch(/[1-4] steps/);
      for (const said of ['hello', 'sampled by the client', 'told by the person', 'ready'])
        expect(output).toContain(said);
    });
  } finally {
    await proxy.stop();
    await behind.stop();
    expect(await behind.traces()).toEqual([]);
    await behind.remove();
  }
});

test('a server that knows only standard input and output, behind mcp-proxy', async () => {
  await upstream(ports.stdio, here('gateway-stdio', ports.stdio), async () => {
    const added = await server.command([
      'server', 'add', '--name', 'Stdio', '--upstream', `http://127.0.0.1:${ports.stdio}/mcp`,
    ]);
    expect(added).toMatch(/: [1-9]\d* tools/);
    const url = `${server.url}/gateway/stdio`;
    const credential = await server.createCredential('stdio', '--mcp-server', url);
    const answer = await call(url, await token(credential), 'echo', { message: 'hello' });
    expect(answer).toMatchObject({ status: 200 });
    expect(answer.text).toContain('hello');
  });
});

/** Passes requests on to `url`, with a bearer token: the suite sends none. */
async function injecting(url: string, bearer: string): Promise<Server> {
  const { hostname, port, pathname } = new URL(url);
  const proxy = createServer((incoming, outgoing) => {
    const headers = { ...incoming.headers, host: new URL(url).host, authorization: `Bearer ${bearer}` };
    const asked = request({ hostname, port, path: pathname, method: incoming.method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(outgoing);
    });
    asked.on('error', () => outgoing.destroy());
    outgoing.on('close', () => asked.destroy());
    incoming.pipe(asked);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return proxy;
}

/** The results of the conformance suite, one line for each check. */
async function conformance(url: string): Promise<string[]> {
  const suite = resolve('node_modules/@modelcontextprotocol/conformance/dist/index.js');
  const output = mkdtempSync(join(folder, 'suite-'));
  const said = await run(node(), [suite, 'server', '--url', url, '-o', output], {});
  return said.output.split('\n').filter((text) => /[✓✗]/.test(text)).map((text) => text.trim());
}

/** Both results beside each other, and what differs. */
async function compared(direct: string, url: string, name: string) {
  const credential = await server.createCredential(`suite of ${name}`, '--mcp-server', url);
  await server.command(['credential', 'edit', credential.client_id, '--token-lifetime', '1h']);
  const proxy = await injecting(url, await token(credential));
  try {
    const alone = await conformance(direct);
    const through = await conformance(`http://localhost:${(proxy.address() as AddressInfo).port}/mcp`);
    const rows = alone.map((text, at) => `${text.padEnd(70)} | ${through[at]}`);
    console.log([`${name} alone`.padEnd(70) + ' | through the gateway', ...rows].join('\n'));
    expect(alone.filter((text) => text.includes('✓')).length).toBeGreaterThan(5);
    expect(through).toEqual(alone);
  } finally {
    proxy.close();
  }
}

test('the conformance suite says the same of server-everything alone and through the gateway', () =>
  everythingServer(() => compared(`http://localhost:${ports.everything}/mcp`, everything, 'server-everything')));

test('the conformance suite says the same of a FastMCP server alone and through the gateway', () =>
  documentedServer(async () => {
    const url = `${server.url}/gateway/docs`;
    // The FastMCP server wants no header.
    await server.command(['server', 'gateway', url, '--no-upstream-header']);
    await compared(`http://127.0.0.1:${ports.docs}/mcp`, url, 'FastMCP');
  }));
