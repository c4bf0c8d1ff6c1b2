import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { expect, test, type Browser, type Page } from '@playwright/test';
import { person, rememberCookies, signIn, watch } from './browser';
import { Countersign, type Credential } from './countersign';
import { changed, line, program } from './documents';
import { freePort } from './programs';
import { Authority, Network, Proxy, type Kind } from './proxies';

/**
 * nginx, Caddy and HAProxy in front of the program, with the lines of docs/proxies.md and in the other manners in which
 * people configure them. A browser and the Python SDK go through each.
 */
type Scheme = 'https' | 'http';
type Host = 'passed' | 'own name';
type Forwarded = 'appended' | 'replaced' | 'with port' | 'left alone';

/** What the program gets as Host and as X-Forwarded-For. The first manner of each proxy is that of the documents. */
type Manner = [kind: Kind, scheme: Scheme, host: Host, forwarded: Forwarded];
const manners: Manner[] = [
  ['nginx', 'https', 'passed', 'appended'],
  ['nginx', 'https', 'own name', 'replaced'],
  ['nginx', 'http', 'own name', 'appended'],
  ['nginx', 'http', 'passed', 'with port'],
  ['caddy', 'https', 'passed', 'replaced'],
  ['caddy', 'https', 'own name', 'appended'],
  ['caddy', 'http', 'own name', 'replaced'],
  ['caddy', 'http', 'passed', 'with port'],
  ['haproxy', 'https', 'passed', 'appended'],
  ['haproxy', 'https', 'own name', 'replaced'],
  ['haproxy', 'http', 'own name', 'appended'],
  ['haproxy', 'http', 'passed', 'with port'],
];

/** The first ends TLS, with the lines of the documents. The second stands beside the program. */
const pairs: [Kind, Kind][] = [['nginx', 'caddy'], ['caddy', 'haproxy'], ['haproxy', 'nginx']];

/** What differs from the lines of the documents: [what is there, what is there instead]. */
const changes: Record<Kind, Partial<Record<Scheme | Host | Forwarded, [string, string][]>>> = {
  nginx: {
    http: [
      ['listen 443 ssl http2;', line('listen 80;')],
      ['    ssl_certificate /etc/ssl/auth.example.com.pem;\n', ''],
      ['    ssl_certificate_key /etc/ssl/auth.example.com.key;\n', ''],
    ],
    'own name': [['proxy_set_header Host $host;', '']],
    replaced: [['$proxy_add_x_forwarded_for', '$remote_addr']],
    'with port': [['$proxy_add_x_forwarded_for', '$remote_addr:$remote_port']],
    'left alone': [['proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;', '']],
  },
  caddy: {
    http: [['auth.example.com {', line('http://auth.example.com {')]],
    'own name': [within('header_up Host countersign')],
    appended: [within(line('trusted_proxies 10.0.3.7'))],
    'with port': [within('header_up X-Forwarded-For {remote}')],
  },
  haproxy: {
    http: [['bind :443 ssl crt /etc/haproxy/auth.example.com.pem alpn h2,http/1.1', line('bind :80')]],
    'own name': [['option forwardfor', 'option forwardfor\n    http-request set-header Host countersign']],
    replaced: [['option forwardfor', 'http-request set-header X-Forwarded-For %[src]']],
    'with port': [['option forwardfor', 'http-request set-header X-Forwarded-For %[src]:%[src_port]']],
    'left alone': [['option forwardfor', '']],
  },
};

function within(line: string): [string, string] {
  const start = 'reverse_proxy 127.0.0.1:8080 {';
  return [start, `${start}\n\t\t${line}`];
}

function configured(kind: Kind, ...manner: (Scheme | Host | Forwarded)[]): string {
  const all = manner.flatMap((part) => changes[kind][part] ?? []);
  return all.reduce((lines, [from, to]) => changed(lines, from, to), program(kind));
}

/** The program behind one public address. Whoever comes there comes from an address of `network`. */
type Site = {
  server: Countersign;
  network: Network;
  /** The port that the program listens on. */
  port: number;
  folder: string;
  sdk: Credential;
  /** Credentials with address ranges: that of the clients, that of the proxy. */
  ranges: [Credential, Credential];
  /** An authorization request with a long `state`. */
  authorization: string;
};
const sites = {} as Record<Scheme, Site>;
let authority: Authority;
const running: Proxy[] = [];

async function open(scheme: Scheme): Promise<Site> {
  const network = await Network.start();
  const port = await freePort();
  const url = `${scheme}://localhost:${network.port}`;
  const options = ['--listen', `127.0.0.1:${port}`, '--public-url', url, '--trusted-proxies', '127.0.0.1'];
  const server = await Countersign.start(...options);
  await server.createAdministrator(person);
  const folder = join(server.folder, 'proxies');
  mkdirSync(folder);
  const sdk = await server.createCredential('SDK');
  const ranges: [Credential, Credential] = [
    await server.createCredential('for the office', '--allow-ip', '127.0.2.0/24'),
    await server.createCredential('for the network of the proxy', '--allow-ip', '127.0.0.1/32'),
  ];
  const redirect_uri = 'http://localhost/callback';
  const app = ['client', 'create', '--name', 'App', '--redirect-uri', redirect_uri, '--format', 'json'];
  const { client_id } = JSON.parse(await server.command(app));
  const pkce = { code_challenge: 'c'.repeat(43), code_challenge_method: 'S256' };
  const query = { response_type: 'code', client_id, redirect_uri, ...pkce, state: 's'.repeat(5000) };
  const authorization = `/mcp/oauth/authorize?${new URLSearchParams(query)}`;
  return { server, network, port, folder, sdk, ranges, authorization };
}

test.beforeAll(async () => {
  sites.http = await open('http');
  authority = new Authority(sites.http.folder);
  sites.https = await open('https');
});

test.afterEach(async () => {
  for (const proxy of running.splice(0)) await proxy.stop();
});

test.afterAll(async () => {
  for (const { server, network } of Object.values(sites)) {
    network.close();
    await server.stop();
    // Among the files are the logs of the proxies.
    expect(await server.traces()).toEqual([]);
    await server.remove();
  }
});

/** Starts a proxy in front of the program, or of another proxy. */
async function start(scheme: Scheme, kind: Kind, lines: string, upstream = sites[scheme].port): Promise<Proxy> {
  const proxy = await Proxy.start(kind, lines, sites[scheme].folder, upstream, authority);
  running.push(proxy);
  return proxy;
}

type Answer = { status: number; text: string; location?: string };
type Headers = Record<string, string | string[]>;

const form = 'application/x-www-form-urlencoded';
const basic = ({ client_id, client_secret }: Credential) => `Basic ${btoa(`${client_id}:${client_secret}`)}`;

/** One request to the proxy from the address `from`, on a connection of its own unless `agent` keeps it. */
async function ask(
  site: Site, proxy: Proxy, from: string, path: string,
  { headers = {}, body, agent }: { headers?: Headers; body?: string; agent?: HttpAgent } = {},
): Promise<Answer> {
  const { protocol, host } = new URL(site.server.url);
  const options = {
    host: '127.0.0.1', port: proxy.port, localAddress: from, path, method: body === undefined ? 'GET' : 'POST',
    headers: { Host: host, ...headers }, agent: agent ?? false, servername: 'localhost', ca: authority.pem,
  };
  const asked = protocol === 'https:' ? httpsRequest(options) : httpRequest(options);
  asked.end(body);
  const [answer] = await once(asked, 'response');
  let text = '';
  for await (const part of answer) text += part;
  return { status: answer.statusCode, text, location: answer.headers.location };
}

function exchange(site: Site, proxy: Proxy, from: string, credential: Credential, headers: Headers = {}) {
  const all = { Authorization: basic(credential), 'Content-Type': form, ...headers };
  return ask(site, proxy, from, '/mcp/oauth/token', { headers: all, body: 'grant_type=client_credentials' });
}

/** Waits until requests get through. */
const ready = (site: Site, proxy: Proxy, from: string) =>
  expect.poll(() => ask(site, proxy, from, '/readyz').then(({ status }) => status, String)).toBe(200);

/** A program gets a token and calls a tool. */
async function call(site: Site, proxy: Proxy, from: string): Promise<Answer> {
  const { text } = await exchange(site, proxy, from, site.sdk);
  const headers = {
    Authorization: `Bearer ${JSON.parse(text).access_token}`,
    'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'whoami' } });
  return ask(site, proxy, from, '/mcp', { headers, body });
}

/** What a stranger at 127.0.3.0/24 sends, so that its address counts as another or as none. */
const forgeries: Record<string, Headers> = {
  'nothing': {},
  'a byte that is no text': { 'X-Forwarded-For': '\xe9' },
  'the word unknown': { 'X-Forwarded-For': 'unknown' },
  'a name': { 'X-Forwarded-For': '_hidden' },
  'nothing after the comma': { 'X-Forwarded-For': '127.0.2.1, ' },
  'an address of the office': { 'X-Forwarded-For': '127.0.2.1' },
  'the same with a port': { 'X-Forwarded-For': '127.0.2.1:4711' },
  'the same in brackets': { 'X-Forwarded-For': '[127.0.2.1]' },
  'the same as IPv6': { 'X-Forwarded-For': '[::ffff:127.0.2.1]:443' },
  'a zone': { 'X-Forwarded-For': 'fe80::1%eth0' },
  'the address of the proxy': { 'X-Forwarded-For': '127.0.0.1' },
  'office and proxy': { 'X-Forwarded-For': '127.0.2.1, 127.0.0.1' },
  'office and proxy in two lines': { 'X-Forwarded-For': ['127.0.2.1', '127.0.0.1'] },
  'a header for the proxy alone': { 'X-Forwarded-For': '127.0.2.1', Connection: 'X-Forwarded-For' },
  'other headers': { Forwarded: 'for=127.0.2.1', 'X-Real-IP': '127.0.2.1', 'X-Client-IP': '127.0.2.1' },
};

/** Each forgery with each credential that has address ranges, and what was answered. */
async function forged(site: Site, proxy: Proxy, stranger: string): Promise<Record<string, number[]>> {
  const answers: Record<string, number[]> = {};
  for (const [name, headers] of Object.entries(forgeries)) {
    answers[name] = [];
    for (const credential of site.ranges)
      answers[name].push((await exchange(site, proxy, stranger, credential, headers)).status);
  }
  return answers;
}

/** The Python SDK discovers, exchanges and calls a tool at the public address. */
function sdk({ server, sdk: credential }: Site): Promise<string> {
  const env = {
    PATH: process.env.PATH,
    SSL_CERT_FILE: authority.file,
    MCP_SERVER_URL: credential.mcp_server,
    MCP_TOKEN_URL: credential.token_endpoint,
    MCP_CLIENT_ID: credential.client_id,
    MCP_CLIENT_SECRET: credential.client_secret,
  };
  return new Promise((done) =>
    execFile('.venv/bin/python', ['clients/python/ways.py', 'secret in the header'], { env }, (_, output, errors) =>
      done(output + errors),
    ),
  );
}

/**
 * Hundreds of requests, four at a time: none may meet a connection of the proxy that the program has closed. Every
 * third one has a body in chunks, after which the program closes its connection.
 */
async function inARow(site: Site, proxy: Proxy, from: string, requests = 240): Promise<Record<number, number>> {
  const agent = new (site === sites.https ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 4 });
  const one = async (number: number): Promise<Answer> => {
    if (number % 3 === 0) return ask(site, proxy, from, '/readyz', { agent });
    const body = 'grant_type=client_credentials';
    const headers: Headers = { Authorization: basic(site.sdk), 'Content-Type': form };
    if (number % 3 === 1) headers['Transfer-Encoding'] = 'chunked';
    else headers['Content-Length'] = `${body.length}`;
    return ask(site, proxy, from, '/mcp/oauth/token', { headers, body, agent });
  };
  const answers = await Promise.all(Array.from({ length: requests }, (_, number) => one(number)));
  agent.destroy();
  return counted(answers.map(({ status }) => status));
}

function counted(values: number[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

/** The same with HTTP/2, where no request says how long its body is. */
async function inStreams({ server, sdk }: Site, requests = 100): Promise<Record<number, number>> {
  const session = connectHttp2(server.url, { ca: authority.pem });
  const one = async () => {
    const stream = session.request({
      ':method': 'POST', ':path': '/mcp/oauth/token', authorization: basic(sdk), 'content-type': form,
    });
    stream.end('grant_type=client_credentials');
    const [headers] = await once(stream, 'response');
    stream.resume();
    await once(stream, 'close');
    return headers[':status'] as number;
  };
  const statuses = await Promise.all(Array.from({ length: requests }, one));
  session.close();
  return counted(statuses);
}

/** A person signs in and reads where they and the programs came from. */
async function journey(site: Site, page: Page, client: string, stranger: string) {
  const { server, sdk, ranges } = site;
  const problems = watch(page.context(), server);
  // The link has no use any more, but its token must be in no log.
  await page.goto(server.setupLink);
  await signIn(page, server);
  await expect(page).toHaveURL(`${server.url}/`);
  await rememberCookies(page.context(), server);
  if (site === sites.https) {
    const spoken = () => performance.getEntriesByType('navigation').map((entry) => (entry as any).nextHopProtocol);
    expect(await page.evaluate(spoken)).toEqual(['h2']);
  }
  await page.goto(`${server.url}/activity`);
  await expect(page.getByRole('main')).toContainText(client);
  await page.goto(`${server.url}/credentials/${sdk.client_id}?view=usage`);
  await expect(page.getByRole('region', { name: 'Recent exchanges' }).getByText(client).first()).toBeVisible();
  await page.goto(`${server.url}/credentials/${ranges[0].client_id}?view=usage`);
  await expect(page.getByText(`from ${stranger}`)).toBeVisible();
  expect(problems).toEqual([]);
}

/** The address in the audit log of the newest sign-in. */
async function recorded({ server }: Site): Promise<string | null> {
  const lines = (await server.command(['audit', 'export'])).trim().split('\n').map((line) => JSON.parse(line));
  return lines.findLast(({ action }) => action === 'session.started').address;
}

/** Everything that must work through a proxy, for people and programs at one address and a stranger at another. */
async function examine(scheme: Scheme, proxy: Proxy, number: number, browser: Browser) {
  const site = sites[scheme];
  // With two digits none is the beginning of another.
  const [client, stranger] = [`127.0.2.${10 + number}`, `127.0.3.${10 + number}`];
  site.network.lead(proxy, client);
  await ready(site, proxy, client);

  await test.step('address ranges', async () => {
    const statuses = [];
    for (const credential of site.ranges) statuses.push((await exchange(site, proxy, client, credential)).status);
    expect.soft(statuses, 'the office').toEqual([200, 401]);
    const refused = Object.fromEntries(Object.keys(forgeries).map((name) => [name, [401, 401]]));
    expect.soft(await forged(site, proxy, stranger), 'a stranger').toEqual(refused);
  });
  await test.step('programs', async () => {
    const text = expect.stringContaining(site.sdk.client_id);
    expect.soft(await call(site, proxy, client)).toMatchObject({ status: 200, text });
    expect.soft(await sdk(site), 'the Python SDK').toEqual(text);
  });
  await test.step('long addresses', async () => {
    const { status, location } = await ask(site, proxy, client, site.authorization);
    expect.soft(status).toBe(303);
    expect.soft((await ask(site, proxy, client, location ?? '/')).status).toBe(200);
  });
  await test.step('hundreds of requests', async () => {
    expect.soft(await inARow(site, proxy, client)).toEqual({ 200: 240 });
    if (scheme === 'https') expect.soft(await inStreams(site)).toEqual({ 200: 100 });
  });
  await test.step('a browser', async () => {
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    await journey(site, page, client, stranger);
    await page.context().close();
    expect.soft(await recorded(site)).toBe(client);
  });
}

let number = 0;
for (const [kind, scheme, host, forwarded] of manners) {
  const own = ++number;
  test(`${kind}: ${scheme}, Host ${host}, X-Forwarded-For ${forwarded}`, { tag: '@once' }, async ({ browser }) => {
    await examine(scheme, await start(scheme, kind, configured(kind, scheme, host, forwarded)), own, browser);
  });
}

for (const [first, second] of pairs) {
  const own = ++number;
  test(`${first} in front of ${second}`, { tag: '@once' }, async ({ browser }) => {
    const beside = await start('https', second, configured(second, 'http', 'passed', 'appended'));
    await examine('https', await start('https', first, program(first), beside.port), own, browser);
  });
}

/** What these do unless they are told otherwise. Caddy replaces the header then. */
const defaults: [Kind, Host, Forwarded][] = [['nginx', 'own name', 'left alone'], ['haproxy', 'passed', 'left alone']];
for (const [kind, host, forwarded] of defaults)
  test(`${kind}, Host ${host}, X-Forwarded-For ${forwarded}: clients claim any address`, { tag: '@once' }, async () => {
    const site = sites.http;
    const proxy = await start('http', kind, configured(kind, 'http', host, forwarded));
    const client = '127.0.2.1';
    await ready(site, proxy, client);
    const statuses = async (headers: Headers) => {
      const answers = site.ranges.map((credential) => exchange(site, proxy, client, credential, headers));
      return (await Promise.all(answers)).map(({ status }) => status);
    };
    expect(await statuses({})).toEqual([401, 401]);
    expect((await call(site, proxy, client)).status).toBe(200);
    // The documents warn of it: the program cannot tell whose header it is.
    expect(await statuses({ 'X-Forwarded-For': '127.0.2.9' })).toEqual([200, 401]);
  });
