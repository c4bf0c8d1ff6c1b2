import { execFile, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from '@playwright/test';
import { row } from '../interoperability';
import { allow } from '../clients/browser.mjs';
import { person } from './browser';
import { Countersign } from './countersign';
import { freePort, serving, stop } from './programs';

/** Libraries and programs that other people wrote, unmodified. Each test is a row of `docs/interoperability.md`. */
let server: Countersign;
let folder: string;

test.beforeAll(async () => {
  server = await Countersign.start();
  folder = await mkdtemp(join(tmpdir(), 'libraries-'));
  await server.createAdministrator(person);
});

test.afterAll(async () => {
  const places = await server.traces();
  await server.stop();
  expect(places.concat(await server.traces())).toEqual([]);
  await server.remove();
  await rm(folder, { recursive: true });
});

async function environment(of: Record<string, string> = {}) {
  return {
    PATH: process.env.PATH,
    HOME: await mkdtemp(join(folder, 'home-')),
    NODE: process.execPath,
    ISSUER: server.url,
    RESOURCE: `${server.url}/mcp`,
    PERSON_EMAIL: person.email,
    PERSON_PASSWORD: person.password,
    BROWSER: `${process.execPath} ${resolve('clients/browser.mjs')} %s &`,
    ...of,
  };
}

async function run(command: string, args: string[], of: Record<string, string>) {
  const env = await environment(of);
  return new Promise<{ code: number; output: string }>((done) =>
    execFile(command, args, { env }, (error, output, errors) => done({ code: error ? 1 : 0, output: output + errors })),
  );
}

const node = (name: string, ...args: string[]) => (of: Record<string, string>) =>
  run(process.execPath, [`clients/libraries/${name}`, ...args], of);
const python = (name: string, ...args: string[]) => (of: Record<string, string>) =>
  run('.venv/bin/python', [`clients/libraries/${name}`, ...args], of);
const python1 = (name: string, ...args: string[]) => (of: Record<string, string>) =>
  run('.venv1/bin/python', [`clients/libraries/${name}`, ...args], of);

/** A credential with a secret, which may ask about tokens. */
async function secret(): Promise<Record<string, string>> {
  const made = await server.createCredential('secret', '--scope', 'mcp:read', '--scope', 'tokens:introspect');
  return { CLIENT_ID: made.client_id, CLIENT_SECRET: made.client_secret };
}

const key = (algorithm: 'ES256' | 'RS256') => async (): Promise<Record<string, string>> => {
  const { publicKey, privateKey } =
    algorithm === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
  const [open, KEY_FILE] = ['public', 'private'].map((half) => join(folder, `${half}-${algorithm}-${Math.random()}`));
  await writeFile(open, publicKey.export({ format: 'pem', type: 'spki' }));
  await writeFile(KEY_FILE, privateKey.export({ format: 'pem', type: 'pkcs8' }));
  const text = await server.command([
    'credential', 'create', '--name', 'key', '--public-key', open, '--format', 'json',
    '--scope', 'mcp:read', '--scope', 'tokens:introspect',
  ]);
  return { CLIENT_ID: JSON.parse(text).client_id, KEY_FILE, ALGORITHM: algorithm };
};

/** A token, for a program that gets none by itself. */
async function token(): Promise<Record<string, string>> {
  const { client_id, client_secret } = await server.createCredential('token');
  return { CLIENT_ID: client_id, MCP_ACCESS_TOKEN: await server.accessToken(client_id, client_secret) };
}

/** A client that an administrator added, for a library that does not register by itself. */
async function added(): Promise<Record<string, string>> {
  const REDIRECT_URI = 'http://localhost:3031/callback';
  const text = await server.command([
    'client', 'create', '--name', `Library ${Math.random()}`, '--redirect-uri', REDIRECT_URI, '--format', 'json',
  ]);
  return { CLIENT_ID: JSON.parse(text).client_id, REDIRECT_URI };
}

const itself = async () => ({ REDIRECT_URI: 'http://localhost:3031/callback', CALLBACK_PORT: `${await freePort()}` });

type Start = (of: Record<string, string>) => Promise<{ code: number; output: string }>;
const clients: [string, string, Start, () => Promise<Record<string, string>>][] = [
  ['openid-client', 'secret in the body, introspection, revocation', node('openid-client.mjs', 'post'), secret],
  ['openid-client', 'secret in the header, found as OAuth server', node('openid-client.mjs', 'basic', 'oauth2'), secret],
  ['openid-client', 'key ES256', node('openid-client.mjs', 'key'), key('ES256')],
  ['openid-client', 'key RS256', node('openid-client.mjs', 'key'), key('RS256')],
  ['openid-client', 'a person signs in', node('openid-client.mjs', 'person'), added],
  ['oauth4webapi', 'secret, and a server that checks the token', node('oauth4webapi.mjs', 'machine'), secret],
  ['oauth4webapi', 'a person signs in', node('oauth4webapi.mjs', 'person'), added],
  ['@ai-sdk/mcp', 'registers itself, a person signs in', node('ai-sdk.mjs'), itself],
  ['@ai-sdk/mcp', 'token in a header', node('ai-sdk.mjs', 'header'), token],
  ['Authlib', 'secret in the header, introspection, revocation', python('authlib_client.py', 'client_secret_basic'), secret],
  ['Authlib', 'secret in the body', python('authlib_client.py', 'client_secret_post'), secret],
  ['Authlib', 'key RS256', python('authlib_client.py', 'private_key_jwt'), key('RS256')],
  ['Authlib', 'a person signs in', python('authlib_client.py', 'person'), added],
  ['requests-oauthlib', 'secret', python('requests_oauthlib_client.py', 'machine'), secret],
  ['requests-oauthlib', 'a person signs in', python('requests_oauthlib_client.py', 'person'), added],
  ['fastmcp', 'registers itself, a person signs in', python('fastmcp_client.py', 'person'), itself],
  ['fastmcp', 'token', python('fastmcp_client.py', 'token'), token],
  ['langchain-mcp-adapters', 'token in a header', python1('langchain_client.py', 'header'), token],
  ['langchain-mcp-adapters', 'secret', python1('langchain_client.py', 'secret'), secret],
];

for (const [name, way, start, prepare] of clients)
  test(`${name}: ${way}`, row(name, way), async () => {
    const of = await prepare();
    const { code, output } = await start(of);
    expect(code, output).toBe(0);
    expect(output).toContain(of.CLIENT_SECRET || of.KEY_FILE || of.MCP_ACCESS_TOKEN ? of.CLIENT_ID : person.name);
  });

/** Starts mcp-remote with these options, and returns the answer to a call of `whoami`. */
async function remote(options: string[], secrets: Record<string, string> = {}): Promise<string> {
  const home = await mkdtemp(join(folder, 'remote-'));
  const env = { ...(await environment(secrets)), MCP_REMOTE_CONFIG_DIR: home };
  const args = ['node_modules/mcp-remote/dist/proxy.js', `${server.url}/mcp`, ...options, '--allow-http'];
  const child = spawn(process.execPath, args, { env });
  let said = '';
  child.stderr.on('data', (text) => {
    said += text;
    // Where it cannot open a browser, the person opens the address that it shows.
    const address = /http\S+\/mcp\/oauth\/authorize\?\S+(?=\s)/.exec(said)?.[0];
    if (!address) return;
    said = '';
    void allow(address, person).then((back) => fetch(back));
  });
  const say = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const hello = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
  say({ id: 1, method: 'initialize', params: hello });
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const { id } = JSON.parse(line);
      if (id === 1) {
        say({ method: 'notifications/initialized' });
        say({ id: 2, method: 'tools/call', params: { name: 'whoami', arguments: {} } });
      }
      if (id === 2) return line;
    }
    throw new Error(`mcp-remote has ended: ${said}`);
  } finally {
    await stop(child);
    for (const name of await readdir(home, { recursive: true }))
      if (name.endsWith('_tokens.json')) {
        const tokens = JSON.parse(await readFile(join(home, name), 'utf8'));
        server.secret('access token of mcp-remote', tokens.access_token.split('.')[2]);
        if (tokens.refresh_token) server.secret('refresh token of mcp-remote', tokens.refresh_token);
      }
  }
}

test('mcp-remote: registers itself, a person signs in', row('mcp-remote', 'registers itself, a person signs in'), async () => {
  expect(await remote([])).toContain(person.name);
});

test('mcp-remote: secret', row('mcp-remote', 'secret'), async () => {
  const { client_id, client_secret } = await server.createCredential('mcp-remote');
  const information = JSON.stringify({ client_id, client_secret: '${MCP_CLIENT_SECRET}' });
  const options = ['--client-credentials', '--static-oauth-client-info', information];
  expect(await remote(options, { MCP_CLIENT_SECRET: client_secret })).toContain(client_id);
});

/** A registered MCP server, with a token that may read there, one that may only write, and one for another server. */
async function guarded(name: string) {
  const port = await freePort();
  const resource = `http://127.0.0.1:${port}/mcp`;
  await server.command([
    'server', 'add', '--name', name, '--resource', resource, '--scope', 'docs:read', '--scope', 'docs:write',
  ]);
  const tokens = [];
  for (const options of [['docs:read'], ['docs:write']].map(([scope]) => ['--mcp-server', resource, '--scope', scope])) {
    const { client_id, client_secret } = await server.createCredential(`${name} ${options[3]}`, ...options);
    tokens.push(await server.accessToken(client_id, client_secret));
  }
  const other = await server.createCredential(`another audience than ${name}`);
  const [read, write] = tokens;
  return { port, resource, read, write, other: await server.accessToken(other.client_id, other.client_secret) };
}

test(
  'express-oauth2-jwt-bearer: a server that checks tokens',
  row('express-oauth2-jwt-bearer', 'a server that checks tokens'),
  async () => {
    const { port, resource, read, write, other } = await guarded('Express');
    const status = (path: string, token?: string) =>
      fetch(`http://127.0.0.1:${port}${path}`, { headers: token ? { Authorization: `Bearer ${token}` } : {} }).then(
        (answer) => answer.status,
        String,
      );
    const of = { RESOURCE: resource, PORT: `${port}` };
    await serving(process.execPath, ['clients/libraries/express-server.mjs'], { env: await environment(of) }, async () => {
      await expect.poll(() => status('/read'), { timeout: 30_000 }).toBe(401);
      expect(await status('/read', read)).toBe(200);
      expect(await status('/read', write)).toBe(403);
      expect(await status('/write', write)).toBe(200);
      expect(await status('/read', other)).toBe(401);
    });
  },
);

for (const way of ['JWTVerifier', 'RemoteAuthProvider', 'introspection'])
  test(`fastmcp: a server with ${way}`, row('fastmcp', `a server with ${way}`), async () => {
    const { port, resource, read, write, other } = await guarded(`FastMCP with ${way}`);
    const asker = await server.createCredential(
      `asks for FastMCP with ${way}`, '--mcp-server', resource, '--scope', 'tokens:introspect',
    );
    const of = {
      RESOURCE: resource, PORT: `${port}`, CLIENT_ID: asker.client_id, CLIENT_SECRET: asker.client_secret,
    };
    const ask = (token?: string) =>
      fetch(resource, {
        method: 'POST',
        headers: {
          ...(token && { Authorization: `Bearer ${token}` }),
          'Content-Type': 'application/json',
          Accept: 'application/json, text/event-stream',
        },
        body: JSON.stringify({
          jsonrpc: '2.0', id: 1, method: 'initialize',
          params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
        }),
      });
    const status = (token?: string) => ask(token).then((answer) => answer.status, String);
    await serving('.venv/bin/python', ['clients/libraries/fastmcp_server.py', way], { env: await environment(of) }, async () => {
      await expect.poll(() => status(), { timeout: 60_000 }).toBe(401);
      expect(await status(read)).toBe(200);
      expect([401, 403]).toContain(await status(write));
      expect(await status(other)).toBe(401);
      if (way === 'RemoteAuthProvider') {
        const challenge = (await ask()).headers.get('www-authenticate')!;
        const document = /resource_metadata="([^"]+)"/.exec(challenge)![1];
        const metadata = await (await fetch(document)).json();
        expect(new URL(metadata.authorization_servers[0]).origin).toBe(server.url);
      }
    });
  });
