import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { SignJWT } from 'jose';
import { row } from '../interoperability';
import { Countersign, type Credential } from './countersign';
import { freePort, inspector, stop } from './programs';

/** Every client that must connect, in each of its ways. */
let server: Countersign;
let folder: string;

test.beforeAll(async () => {
  server = await Countersign.start('--status-list-ttl', '1');
  folder = await mkdtemp(join(tmpdir(), 'keys-'));
});

test.afterAll(async () => {
  const places = await server.traces();
  await server.stop();
  expect(places.concat(await server.traces())).toEqual([]);
  await server.remove();
  await rm(folder, { recursive: true });
});

type Ready = { credential: Credential; environment: Record<string, string> };
let number = 0;

async function file(content: string): Promise<string> {
  const path = join(folder, `file-${number++}`);
  await writeFile(path, content);
  return path;
}

type Algorithm = 'RS256' | 'ES256' | 'EdDSA';

const pair = (kind: Algorithm) =>
  kind === 'RS256'
    ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : kind === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('ed25519');

const secret = async (): Promise<Ready> => {
  const credential = await server.createCredential('secret');
  return { credential, environment: { MCP_CLIENT_SECRET: credential.client_secret } };
};

/** A token, for clients that get none by themselves. */
const token = async (): Promise<Ready> => {
  const credential = await server.createCredential('token');
  const MCP_ACCESS_TOKEN = await server.accessToken(credential.client_id, credential.client_secret);
  return { credential, environment: { MCP_ACCESS_TOKEN, HOME: folder, MCP_USE_ANONYMIZED_TELEMETRY: 'false' } };
};

/** A credential with a key. The private half stays in a file of the client. */
const key = (kind: Algorithm, form: 'pem' | 'jwk', ...options: string[]) => async (): Promise<Ready> => {
  const { publicKey, privateKey } = pair(kind);
  const write = (half: KeyObject, type: 'spki' | 'pkcs8') =>
    file(form === 'jwk' ? JSON.stringify(half.export({ format: 'jwk' })) : `${half.export({ format: 'pem', type })}`);
  const credential = await create('key', '--public-key', await write(publicKey, 'spki'), ...options);
  const MCP_PRIVATE_KEY_FILE = await write(privateKey, 'pkcs8');
  return { credential, environment: { MCP_PRIVATE_KEY_FILE, MCP_KEY_ALGORITHM: kind } };
};

async function create(name: string, ...options: string[]): Promise<Credential> {
  const text = await server.command(['credential', 'create', '--name', name, '--format', 'json', ...options]);
  const credential = JSON.parse(text);
  expect(credential).not.toHaveProperty('client_secret');
  return credential;
}

const sign = (privateKey: KeyObject, claims: Record<string, unknown>) =>
  new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).setIssuedAt().setExpirationTime('5m').sign(privateKey);

const prepared = async (): Promise<Ready> => {
  const { publicKey, privateKey } = pair('ES256');
  const jwk = await file(JSON.stringify(publicKey.export({ format: 'jwk' })));
  const credential = await create('prepared', '--public-key', jwk, '--allow-reused-assertions');
  const id = credential.client_id;
  const ASSERTION = await sign(privateKey, { iss: id, sub: id, aud: server.url, jti: randomUUID() });
  return { credential, environment: { ASSERTION } };
};

const workload = async (): Promise<Ready> => {
  const { publicKey, privateKey } = pair('ES256');
  const jwks = await file(JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] }));
  const issuer = 'https://token.actions.githubusercontent.com';
  const subject = `repo:acme/app-${number++}:ref:refs/heads/main`;
  const credential = await create(
    'workload', '--federated-issuer', issuer, '--federated-subject', subject, '--federated-jwks', jwks,
    '--federated-claim', 'repository_owner=acme',
  );
  const claims = { iss: issuer, sub: subject, aud: server.url, repository_owner: 'acme', ref: 'refs/heads/main' };
  return { credential, environment: { ASSERTION: await sign(privateKey, claims) } };
};

function run(program: string, args: string[], environment: Record<string, string>) {
  const env = { PATH: process.env.PATH, ...environment };
  return new Promise<{ code: number; output: string; errors: string }>((done) =>
    execFile(program, args, { env }, (error, output, errors) => done({ code: error ? 1 : 0, output, errors })),
  );
}

const python = (folder: string, environment: string) => (way: string) => [
  process.env.PYTHON ?? `${environment}/bin/python`, `clients/${folder}/ways.py`, way,
];
const typescript = (line: string) => (way: string) => [process.execPath, 'clients/typescript/ways.mjs', line, way];

const rust = (way: string) => [process.env.RUST_CLIENT ?? '../target/debug/ways', way];

const clients: Record<string, [(way: string) => string[], Record<string, () => Promise<Ready>>]> = {
  'Python mcp 2': [
    python('python', '.venv'),
    {
      'secret in the header': secret,
      'secret in the body': secret,
      'key RS256': key('RS256', 'pem'),
      'key ES256': key('ES256', 'pem'),
      'prepared assertion': prepared,
      'workload identity': workload,
    },
  ],
  'Python mcp 1': [
    python('python1', '.venv1'),
    {
      'secret in the header': secret,
      'secret in the body': secret,
      'key RS256': key('RS256', 'pem'),
      'key ES256': key('ES256', 'pem'),
      'prepared assertion': prepared,
      'workload identity': workload,
      'JWT bearer grant': key('ES256', 'pem', '--allow-jwt-bearer'),
    },
  ],
  'TypeScript client 2': [
    typescript('2'),
    {
      secret,
      'secret, negotiated': secret,
      'key RS256': key('RS256', 'pem'),
      'key ES256': key('ES256', 'pem'),
      'key ES256, negotiated': key('ES256', 'pem'),
      'key EdDSA, as JWK': key('EdDSA', 'jwk'),
      'prepared assertion': prepared,
    },
  ],
  'Rust rmcp 3': [
    rust,
    { secret, 'key RS256': key('RS256', 'pem'), 'key ES256': key('ES256', 'pem') },
  ],
  'TypeScript sdk 1': [
    typescript('1'),
    {
      secret,
      'key RS256': key('RS256', 'pem'),
      'key ES256': key('ES256', 'pem'),
      'key EdDSA, as JWK': key('EdDSA', 'jwk'),
      'prepared assertion': prepared,
    },
  ],
  'mcp-use 1 for TypeScript': [
    (way) => [process.execPath, 'clients/mcp-use-typescript/tokens.mjs', way],
    { token, header: token },
  ],
  'mcp-use 1, command line': [
    () => ['bash', '-euo', 'pipefail', 'clients/mcp-use-typescript/command-line.sh'],
    { token },
  ],
  'MCP Inspector 2, command line': [
    (era) => [process.execPath, 'clients/inspector/command-line.mjs', ...inspector('--cli', '--protocol-era', era)],
    { legacy: token, modern: token },
  ],
};

/** A program of the dashboard, word for word. */
const text = (file: string) => readFileSync(`../app/snippets/${file}`, 'utf8');
const interpreters = {
  py: [process.env.PYTHON ?? '.venv/bin/python', '-c'],
  v1py: [process.env.PYTHON ?? '.venv1/bin/python', '-c'],
  mjs: [process.execPath, '--input-type=module', '-e'],
};
const shown = (file: string) => {
  const [name, kind] = file.split('.');
  return [...interpreters[kind === 'mjs' ? 'mjs' : name.endsWith('_v1') ? 'v1py' : 'py'], text(file)];
};

const withTokenFile = async (): Promise<Ready> => {
  const { credential, environment } = await workload();
  return { credential, environment: { MCP_IDENTITY_TOKEN_FILE: await file(environment.ASSERTION) } };
};
const everyProgram = (name: string, ready: () => Promise<Ready>) =>
  Object.fromEntries(['.py', '.mjs', '_v1.py', '_v1.mjs'].map((ending) => [name + ending, ready]));
clients['As shown'] = [
  shown,
  { ...everyProgram('client', secret), ...everyProgram('client_federated', withTokenFile) },
];
for (const kind of ['ES256', 'RS256', 'EdDSA'] as const)
  clients[`As shown, key ${kind}`] = [shown, everyProgram('client_key', key(kind, 'pem'))];
clients.curl = [() => ['bash', '-euo', 'pipefail', '-c', text('call.sh')], { secret }];

type Place = { resource: string; port: number; folder: string; alg: string };

/** Writes the dashboard's program for servers to a file, with the values of this server. */
async function filled(name: string, { resource, folder, alg }: Place): Promise<string> {
  const path = join(folder, name);
  const content = text(`server/${name}`)
    .replaceAll('__ISSUER__', server.url)
    .replaceAll('__RESOURCE__', resource)
    .replaceAll('__METADATA__', resource.replace('/mcp', '/.well-known/oauth-protected-resource/mcp'))
    .replaceAll('__METADATA_PATH__', '/.well-known/oauth-protected-resource/mcp')
    .replaceAll('__SCOPE__', 'docs:read')
    .replaceAll('__ALG__', alg);
  await writeFile(path, content);
  return path;
}

const pythonServer = (line: string, environment: string) => async (place: Place) => {
  await filled('verify.py', place);
  const program = process.env.PYTHON ?? `${environment}/bin/python`;
  return [program, 'clients/servers/server.py', line, `${place.port}`];
};

/** The command that starts the server of each SDK, behind the dashboard's program for it. */
const servers: Record<string, (place: Place) => Promise<string[]>> = {
  'Python mcp 2': pythonServer('2', '.venv'),
  'Python mcp 1': pythonServer('1', '.venv1'),
  'TypeScript sdk 1': async (place) => {
    const document = join(place.folder, 'metadata.json');
    const scopes_supported = ['docs:read'];
    await writeFile(
      document,
      JSON.stringify({ resource: place.resource, authorization_servers: [server.url], scopes_supported }),
    );
    const verify = await filled('verify.mjs', place);
    return [process.execPath, 'clients/servers/server.mjs', verify, document, `${place.port}`];
  },
  'Rust rmcp 3': async (place) => {
    const VERIFY = await filled('verify.rs', place);
    const build = ['build', '--locked', '--bin', 'server', '--target-dir', '../target'];
    const built = await run('cargo', [...build, '--manifest-path', 'clients/rust/Cargo.toml'], {
      ...(process.env as Record<string, string>), VERIFY,
    });
    expect(built, built.errors).toMatchObject({ code: 0 });
    return ['../target/debug/server', `127.0.0.1:${place.port}`];
  },
};

for (const [sdk, start] of Object.entries(servers))
  for (const alg of ['ES256', 'EdDSA', 'RS256'])
    test(`${sdk}: a server that checks tokens with ${alg}`, row(sdk, `a server that checks tokens with ${alg}`), async ({}, info) => {
      const port = await freePort();
      const place = { resource: `http://127.0.0.1:${port}/mcp`, port, folder: info.outputPath(), alg };
      await mkdir(place.folder, { recursive: true });
      const name = `${sdk} with ${alg}`;
      const { resource } = place;
      await server.command([
        'server', 'add', '--name', name, '--resource', resource, '--alg', alg,
        '--scope', 'docs:read', '--scope', 'docs:write',
      ]);
      const own = await server.createCredential(`reader of ${name}`, '--mcp-server', resource);
      const writer = await server.createCredential(
        `writer of ${name}`, '--mcp-server', resource, '--scope', 'docs:write',
      );
      const other = await server.createCredential(`another audience than ${name}`);
      const [program, ...args] = await start(place);
      const child = spawn(program, args, {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { PATH: process.env.PATH, PYTHONPATH: place.folder },
      });
      let errors = '';
      child.stderr!.on('data', (text) => (errors += text));
      const ended = once(child, 'exit').then(([code]) => {
        throw new Error(`the server ended with ${code}: ${errors}`);
      });
      try {
        const ask = (headers = {}) => fetch(resource, { method: 'POST', headers });
        const status = () => ask().then((answer) => answer.status, String);
        await Promise.race([ended, expect.poll(status, { timeout: 60_000 }).toBe(401)]);

        // The client finds the issuer by itself, in the challenge and the metadata document.
        const connected = await run(interpreters.mjs[0], shown('client.mjs').slice(1), {
          MCP_CLIENT_ID: own.client_id, MCP_CLIENT_SECRET: own.client_secret, MCP_SERVER_URL: resource,
          MCP_TOKEN_URL: own.token_endpoint,
        });
        expect(connected, connected.errors).toMatchObject({ code: 0 });
        expect(connected.output).toContain(own.client_id);

        for (const [credential, status] of [[other, 401], [writer, 403]] as const) {
          const token = await server.accessToken(credential.client_id, credential.client_secret);
          const refused = await ask({ Authorization: `Bearer ${token}` });
          expect(refused.status).toBe(status);
          expect(refused.headers.get('www-authenticate')).toContain('/.well-known/oauth-protected-resource/mcp');
        }

        // The server verifies tokens by itself, and learns from the status list that a token was revoked.
        const Authorization = `Bearer ${await server.accessToken(own.client_id, own.client_secret)}`;
        expect((await ask({ Authorization })).status).not.toBe(401);
        await server.command(['credential', 'disable', own.client_id]);
        await expect.poll(async () => (await ask({ Authorization })).status).toBe(401);
        await server.command(['credential', 'enable', own.client_id]);
        await expect.poll(async () => (await ask({ Authorization })).status).not.toBe(401);
        await server.command(['credential', 'revoke', own.client_id]);
        await expect.poll(async () => (await ask({ Authorization })).status).toBe(401);
      } finally {
        await stop(child);
      }
    });

/** Whether it is a client of somebody else, and not a program of ours. */
const isClient = (name: string) => !name.startsWith('As shown') && name !== 'curl';

for (const [client, [command, ways]] of Object.entries(clients))
  for (const [way, prepare] of Object.entries(ways))
    test(`${client}: ${way}`, isClient(client) ? row(client, way) : {}, async () => {
      const { credential, environment } = await prepare();
      const [program, ...args] = command(way);
      const answer = await run(program, args, {
        MCP_CLIENT_ID: credential.client_id,
        MCP_SERVER_URL: credential.mcp_server,
        MCP_TOKEN_URL: credential.token_endpoint,
        ...environment,
      });
      expect(answer, answer.errors).toMatchObject({ code: 0 });
      // The curl program calls the tool without asking for the list of tools.
      if (client !== 'curl') expect(answer.output).toContain('whoami');
      expect(answer.output).toContain(credential.client_id);
    });
