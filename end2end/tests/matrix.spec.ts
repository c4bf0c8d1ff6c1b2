import { execFile } from 'node:child_process';
import { generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { SignJWT } from 'jose';
import { Countersign, type Credential } from './countersign';

/** Every client that must connect, in every way it has; each row against one server. */
let server: Countersign;
let folder: string;

test.beforeAll(async () => {
  server = await Countersign.start();
  folder = await mkdtemp(join(tmpdir(), 'keys-'));
});

const results: string[][] = [];
test.afterAll(async () => {
  const width = (column: number) => Math.max(...results.map((row) => row[column].length));
  for (const row of results) console.log(row.map((cell, column) => cell.padEnd(width(column))).join('  '));
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

const pair = (kind: 'RS256' | 'ES256' | 'EdDSA') =>
  kind === 'RS256'
    ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : kind === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('ed25519');

const secret = async (): Promise<Ready> => {
  const credential = await server.createCredential('secret');
  return { credential, environment: { MCP_CLIENT_SECRET: credential.client_secret } };
};

/** A credential with a key; the private half stays in a file of the client. */
const key = (kind: 'RS256' | 'ES256' | 'EdDSA', form: 'pem' | 'jwk', ...options: string[]) => async (): Promise<Ready> => {
  const { publicKey, privateKey } = pair(kind);
  const write = (half: KeyObject, type: 'spki' | 'pkcs8') =>
    file(form === 'jwk' ? JSON.stringify(half.export({ format: 'jwk' })) : (half.export({ format: 'pem', type }) as string));
  const credential = await create('key', '--public-key', await write(publicKey, 'spki'), ...options);
  return { credential, environment: { MCP_PRIVATE_KEY_FILE: await write(privateKey, 'pkcs8'), MCP_KEY_ALGORITHM: kind } };
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

const rust = (way: string) => [process.env.RUST_CLIENT ?? '../target/rust-client/release/ways', way];

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
};

/** The texts of the dashboard, word for word. */
const text = (file: string) => readFileSync(`../app/snippets/${file}`, 'utf8');
const shown = (program: string, ...args: string[]) => (file: string) => [program, ...args, text(file)];
const shownInPython = shown(process.env.PYTHON ?? '.venv/bin/python', '-c');
const shownInTypeScript = shown(process.execPath, '--input-type=module', '-e');

const withTokenFile = async (): Promise<Ready> => {
  const { credential, environment } = await workload();
  return { credential, environment: { MCP_IDENTITY_TOKEN_FILE: await file(environment.ASSERTION) } };
};
clients['Python, as shown'] = [
  shownInPython, { 'client_key.py': key('ES256', 'pem'), 'client_federated.py': withTokenFile },
];
clients['TypeScript, as shown'] = [
  shownInTypeScript, { 'client_key.mjs': key('ES256', 'pem'), 'client_federated.mjs': withTokenFile },
];

for (const alg of ['ES256', 'EdDSA', 'RS256'])
  test(`the texts for servers accept the tokens of a server with ${alg}, and no others`, async () => {
    const resource = `https://${alg.toLowerCase()}.example.com/mcp`;
    await server.command(['server', 'add', '--name', alg, '--resource', resource, '--scope', 'docs:read', '--alg', alg]);
    const own = await server.createCredential(`reader of ${alg}`, '--mcp-server', resource);
    const other = await server.createCredential('another audience');
    const filled = (program: string) =>
      program.replaceAll('__ISSUER__', server.url).replaceAll('__RESOURCE__', resource).replaceAll('__ALG__', alg);
    const python = `${filled(text('verify.py'))}
import asyncio, os
print(asyncio.run(Countersign().verify_token(os.environ["TOKEN"])))`;
    const typescript = `${filled(text('verify.mjs'))}
console.log(await verifier.verifyAccessToken(process.env.TOKEN).catch(() => 'refused'));`;
    for (const credential of [own, other]) {
      const TOKEN = await server.accessToken(credential.client_id, credential.client_secret);
      for (const [program, ...args] of [
        [process.env.PYTHON ?? '.venv/bin/python', '-c', python],
        [process.execPath, '--input-type=module', '-e', typescript],
      ]) {
        const answer = await run(program, args, { TOKEN });
        expect(answer, answer.errors).toMatchObject({ code: 0 });
        if (credential === own) expect(answer.output).toContain('docs:read');
        else expect(answer.output).toMatch(/None|refused/);
      }
    }
  });

for (const [client, [command, ways]] of Object.entries(clients))
  for (const [way, prepare] of Object.entries(ways))
    test(`${client}: ${way}`, async () => {
      const { credential, environment } = await prepare();
      const [program, ...args] = command(way);
      const answer = await run(program, args, {
        MCP_CLIENT_ID: credential.client_id,
        MCP_SERVER_URL: credential.mcp_server,
        MCP_TOKEN_URL: credential.token_endpoint,
        ...environment,
      });
      results.push([client, way, answer.code === 0 ? 'connected' : 'FAILED']);
      expect(answer, answer.errors).toMatchObject({ code: 0 });
      expect(answer.output).toContain('whoami');
      expect(answer.output).toContain(credential.client_id);
    });
