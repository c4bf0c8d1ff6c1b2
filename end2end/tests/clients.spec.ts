import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@playwright/test';
import { SignJWT } from 'jose';
import { Countersign, type Credential } from './countersign';
import { changed, program as documented } from './documents';

const interpreters = {
  python: [process.env.PYTHON ?? '.venv/bin/python', '-'],
  typescript: [process.execPath, '--input-type=module', '-'],
  python1: [process.env.PYTHON ?? '.venv1/bin/python', '-'],
  typescript1: [process.execPath, '--input-type=module', '-'],
  curl: ['bash', '-euo', 'pipefail'],
};

function run(language: keyof typeof interpreters, program: string, credential: Credential) {
  const [command, ...args] = interpreters[language];
  const env = {
    PATH: process.env.PATH,
    MCP_CLIENT_ID: credential.client_id,
    MCP_CLIENT_SECRET: credential.client_secret,
    MCP_SERVER_URL: credential.mcp_server,
    MCP_TOKEN_URL: credential.token_endpoint,
  };
  return new Promise<{ code: number; output: string; errors: string }>((done) => {
    const child = execFile(command, args, { env }, (error, output, errors) =>
      done({ code: error ? 1 : 0, output, errors }),
    );
    child.stdin!.end(program);
  });
}

let server: Countersign;

test.beforeAll(async () => {
  server = await Countersign.start();
});

test.afterAll(async () => {
  const places = await server.traces();
  await server.stop();
  expect(places.concat(await server.traces())).toEqual([]);
  await server.remove();
});

const legacy = '2025-11-25';
const modern = '2026-07-28';
const pythonVersion = (program: string) => changed(program, 'print([', 'print(client.protocol_version, [');
const typescriptVersion = (program: string) =>
  changed(program, 'console.log((', 'console.log(client.getNegotiatedProtocolVersion(), (');

const programs = {
  'Python SDK, secret in the header': ['python', modern, pythonVersion],
  'Python SDK, secret in the body': [
    'python',
    modern,
    (program: string) =>
      changed(pythonVersion(program), 'client_id=', 'token_endpoint_auth_method="client_secret_post", client_id='),
  ],
  'Python SDK, handshake': [
    'python',
    legacy,
    (program: string) => changed(pythonVersion(program), 'http_client=http)', 'http_client=http), mode="legacy"'),
  ],
  'TypeScript SDK': ['typescript', legacy, typescriptVersion],
  'TypeScript SDK, negotiated': [
    'typescript',
    modern,
    (program: string) =>
      changed(typescriptVersion(program), `'1.0.0' }`, `'1.0.0' }, { versionNegotiation: { mode: 'auto' } }`),
  ],
  'Python SDK, version 1': ['python1', '', (program: string) => program],
  'TypeScript SDK, version 1': ['typescript1', '', (program: string) => program],
  curl: ['curl', '', (program: string) => program],
} as const;

for (const [name, [language, version, variant]] of Object.entries(programs))
  test(`${name}: calls a tool until the credential is revoked`, async () => {
    const credential = await server.createCredential(name);
    const program = variant(documented(language));
    const answer = await run(language, program, credential);
    expect(answer, answer.errors).toMatchObject({ code: 0 });
    expect(answer.output).toContain(credential.client_id);
    expect(answer.output).toContain(version);

    await server.command(['credential', 'revoke', credential.client_id, '--reason', 'replaced']);
    const refused = await run(language, program, credential);
    expect(refused.code).not.toBe(0);
    expect(refused.output).not.toContain(credential.client_id);
  });

for (const [language, call] of [
  ['python', 'call_tool("whoami")'],
  ['typescript', `name: 'whoami'`],
] as const)
  test(`the ${language} SDK asks for the scope that a tool needs`, async () => {
    const credential = await server.createCredential(
      `steps up from ${language}`, '--scope', 'mcp:read', '--scope', 'credentials:read',
    );
    const program = changed(documented(language), call, call.replace('whoami', 'list_credentials'));
    const answer = await run(language, program, credential);
    expect(answer, answer.errors).toMatchObject({ code: 0 });
    expect(answer.output).toContain(credential.client_id);
  });

test('a key signs by hand', async () => {
  expect(await server.shell(documented('pair'))).toMatch(/csc_\w{22}/);
  const pair = changed(documented('pair'), 'EC -pkeyopt ec_paramgen_curve:P-256', 'RSA -pkeyopt rsa_keygen_bits:3072');
  const MCP_CLIENT_ID = /csc_\w{22}/.exec(await server.shell(pair))![0];
  const MCP_TOKEN_URL = `${server.url}/mcp/oauth/token`;
  const environment = { MCP_CLIENT_ID, MCP_TOKEN_URL, MCP_PRIVATE_KEY_FILE: 'private-key.pem' };
  const { access_token } = JSON.parse(await server.shell(documented('assertion'), environment));
  expect(await (await server.callMcp(access_token, 'tools/call', { name: 'whoami' })).text()).toContain(MCP_CLIENT_ID);
});

test('a job of GitHub gets a token for its identity', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwks = JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] });
  const created = await server.shell(`printf %s '${jwks}' > jwks.json\n${documented('identity')} --federated-jwks jwks.json`);
  const id = /csc_\w{22}/.exec(created)![0];
  const github = createServer(async (request, response) => {
    const allowed = request.headers.authorization === 'bearer of-the-job';
    const value = await new SignJWT({ repository_owner: 'acme' })
      .setProtectedHeader({ alg: 'RS256' })
      .setIssuer('https://token.actions.githubusercontent.com')
      .setSubject('repo:acme/app:ref:refs/heads/main')
      .setAudience(new URL(request.url!, server.url).searchParams.get('audience')!)
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(privateKey);
    response.end(JSON.stringify(allowed ? { count: 1, value } : {}));
  }).listen(0, '127.0.0.1');
  await once(github, 'listening');
  const lines = changed(documented('job').replaceAll('https://auth.example.com', server.url), 'csc_…', id);
  const answer = await server.shell(lines, {
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'of-the-job',
    ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${(github.address() as AddressInfo).port}/token?api-version=2.0`,
  });
  github.close();
  const { access_token } = JSON.parse(answer);
  expect(await (await server.callMcp(access_token, 'tools/call', { name: 'whoami' })).text()).toContain(id);
});

test('the command line prints a credential once, in three forms', async () => {
  const credential = await server.createCredential('printed');
  expect(credential).toMatchObject({
    issuer: server.url,
    token_endpoint: `${server.url}/mcp/oauth/token`,
    mcp_server: `${server.url}/mcp`,
    scope: 'mcp:read',
  });
  for (const format of ['text', 'env']) {
    const printed = await server.command(['credential', 'create', '--name', `as ${format}`, '--format', format]);
    const id = /csc_[0-9A-Za-z]{22}/.exec(printed)![0];
    const secret = /css_[0-9A-Za-z]{49}/.exec(printed)![0];
    expect((await server.exchange(id, secret)).status).toBe(200);
    server.secret(`secret printed as ${format}`, secret);
    expect(await server.command(['credential', 'show', id])).not.toContain(secret);
  }
});
