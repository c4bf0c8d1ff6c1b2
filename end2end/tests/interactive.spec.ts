import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from '@playwright/test';
import { allow } from '../clients/browser.mjs';
import { row } from '../interoperability';
import { person } from './browser';
import { Countersign } from './countersign';
import { freePort, inspector } from './programs';

/** Unmodified clients that act for people. The person signs in and allows by HTTP, without a browser. */
let server: Countersign;
let home: string;

test.beforeAll(async () => {
  server = await Countersign.start();
  home = await mkdtemp(join(tmpdir(), 'client-'));
  await server.createAdministrator(person);
});

test.afterAll(async () => {
  const places = await server.traces();
  await server.stop();
  expect(places.concat(await server.traces())).toEqual([]);
  await server.remove();
  await rm(home, { recursive: true });
});

/** Runs a client that finds the person's browser in its environment, and nothing that a client saved before. */
async function run(command: string, ...args: string[]) {
  const env = {
    PATH: process.env.PATH,
    HOME: await mkdtemp(join(home, 'of-')),
    MCP_SERVER_URL: `${server.url}/mcp`,
    PERSON_EMAIL: person.email,
    PERSON_PASSWORD: person.password,
    BROWSER: `${process.execPath} ${resolve('clients/browser.mjs')} %s &`,
    MCP_USE_ANONYMIZED_TELEMETRY: 'false',
    // Without a terminal the MCP Inspector opens a browser only when told so.
    MCP_AUTO_OPEN_ENABLED: 'true',
  };
  return new Promise<{ code: number; output: string }>((done) =>
    execFile(command, args, { env }, (error, output, errors) => done({ code: error ? 1 : 0, output: output + errors })),
  );
}

async function registered(redirectUri: string, ...options: string[]) {
  const text = await server.command([
    'client', 'create', '--name', 'Registered', '--redirect-uri', redirectUri, '--format', 'json', ...options,
  ]);
  const client = JSON.parse(text);
  if (client.client_secret) server.secret(`secret of ${client.client_id}`, client.client_secret);
  return client;
}

const typescript = (...args: string[]) => run(process.execPath, 'clients/typescript/interactive.mjs', ...args);

const clients = {
  'Python SDK': () => run('.venv/bin/python', 'clients/python/interactive.py'),
  'Python SDK, version 1': () => run('.venv1/bin/python', 'clients/python1/interactive.py'),
  'TypeScript SDK': () => typescript('2'),
  'TypeScript SDK, version 1': () => typescript('1'),
  'TypeScript SDK, registered': async () => {
    const { client_id } = await registered('http://localhost/callback');
    return typescript('2', JSON.stringify({ client_id }));
  },
  'TypeScript SDK, confidential': async () => {
    const { client_id, client_secret } = await registered('http://localhost/callback', '--confidential');
    return typescript('2', JSON.stringify({ client_id, client_secret }));
  },
  'mcp-use for Python': async () => mcpUse({ auth: { callback_port: await freePort() } }),
  'mcp-use for Python, registered': async () => {
    const callback_port = await freePort();
    const { client_id } = await registered(`http://localhost:${callback_port}/callback`);
    return mcpUse({ auth: { client_id, callback_port } });
  },
  'mcp-use for Python, confidential': async () => {
    const callback_port = await freePort();
    const redirectUri = `http://localhost:${callback_port}/callback`;
    const { client_id, client_secret } = await registered(redirectUri, '--confidential');
    return mcpUse({ auth: { client_id, client_secret, callback_port } });
  },
  'mcp-use for TypeScript, command line': () =>
    run('bash', '-euo', 'pipefail', 'clients/mcp-use-typescript/interactive.sh'),
  'MCP Inspector, command line': () =>
    run(process.execPath, 'clients/inspector/command-line.mjs', ...inspector('--cli')),
};

const mcpUse = (settings: object) =>
  run('.venv-mcp-use/bin/python', 'clients/mcp-use/interactive.py', JSON.stringify(settings));

const way = 'a person signs in, and it calls a tool for them';
for (const [name, connect] of Object.entries(clients))
  test(`${name}: ${way}`, row(name, way), async () => {
    const { code, output } = await connect();
    expect(code, output).toBe(0);
    expect(output).toContain('whoami');
    expect(output).toContain(person.name);
  });

for (const [name, how] of [
  ['a token', (token: string) => ({ auth: token })],
  // Without the setting `auth`, mcp-use registers itself and opens a browser, whatever headers it has.
  ['a header', (token: string) => ({ auth: null, headers: { Authorization: `Bearer ${token}` } })],
] as const)
  test(`mcp-use for Python: ${name}`, row('mcp-use for Python', name), async () => {
    const { client_id, client_secret } = await server.createCredential('for mcp-use');
    const { code, output } = await mcpUse(how(await server.accessToken(client_id, client_secret)));
    expect(code, output).toBe(0);
    expect(output).toContain(client_id);
  });

/** The requests that the command-line client `mcp` sends, in its order and with its headers. */
test('the requests of the mcp command line are answered', async () => {
  const post = (path: string, body: object) =>
    fetch(server.url + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
  const initialize = {
    jsonrpc: '2.0', id: 1, method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'mcp', version: '0.5.2' } },
  };
  expect((await post('/mcp', initialize)).status).toBe(401);
  const resource = await (await fetch(`${server.url}/.well-known/oauth-protected-resource`)).json();
  const metadata = await (
    await fetch(`${resource.authorization_servers[0]}/.well-known/oauth-authorization-server`, {
      headers: { 'MCP-Protocol-Version': '2025-03-26' },
    })
  ).json();
  const registration = await post(new URL(metadata.registration_endpoint).pathname, {
    client_name: 'mcp',
    redirect_uris: ['http://localhost:8085/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  });
  expect(registration.status).toBe(201);
  const { client_id } = await registration.json();

  // The client stays registered, and takes another port where the first is taken.
  for (const port of [8085, 8099]) {
    const verifier = randomBytes(32).toString('base64url');
    const redirect_uri = `http://localhost:${port}/callback`;
    const query = new URLSearchParams({
      response_type: 'code',
      client_id,
      redirect_uri,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      state: 'state',
      scope: metadata.scopes_supported.join(' '),
    });
    const back = new URL(await allow(`${metadata.authorization_endpoint}?${query}`, person));
    expect(back.origin + back.pathname).toBe(redirect_uri);
    const token = async (fields: Record<string, string>) => {
      const body = new URLSearchParams({ ...fields, client_id });
      const answer = await fetch(metadata.token_endpoint, { method: 'POST', body });
      expect(answer.status).toBe(200);
      const tokens = await answer.json();
      server.secret('access token', tokens.access_token.split('.')[2]);
      server.secret('refresh token', tokens.refresh_token);
      return tokens;
    };
    const code = back.searchParams.get('code')!;
    server.secret('code', code);
    const first = await token({ grant_type: 'authorization_code', code, redirect_uri, code_verifier: verifier });
    const next = await token({ grant_type: 'refresh_token', refresh_token: first.refresh_token });
    // The client keeps no refresh token where the answer has none.
    expect(next.refresh_token).not.toBe(first.refresh_token);
    for (const { access_token } of [first, next]) {
      const answer = await fetch(`${server.url}/mcp`, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${access_token}`,
          'Content-Type': 'application/json',
          Accept: 'application/json, text/event-stream',
        },
        body: JSON.stringify(initialize),
      });
      expect(answer.status).toBe(200);
    }
  }
});
