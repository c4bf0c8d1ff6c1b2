import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@playwright/test';
import { row } from '../interoperability';
import { examine, openUntil, person, signIn } from './browser';
import { Countersign } from './countersign';
import { Website } from './website';

const execute = promisify(execFile);

/** It publishes the metadata documents of clients, and the key of one of them. */
let website: Website;
let address: string;
let asked = 0;
let server: Countersign;
const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** The document of an editor that acts for people, and of a program that works for itself. */
const editor = (path: string) => ({
  client_name: 'Editor',
  redirect_uris: ['http://localhost:3030/callback'],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'none',
  padding: path === '/long.json' ? 'x'.repeat(6000) : undefined,
});
const program = () => ({
  client_name: 'Nightly reports',
  grant_types: ['client_credentials'],
  token_endpoint_auth_method: 'private_key_jwt',
  jwks_uri: `${address}/keys.json`,
});

test.beforeAll(async () => {
  website = await Website.start((request, response) => {
    asked += 1;
    const path = request.url!;
    if (path === '/elsewhere.json') return void response.writeHead(302, { Location: '/client.json' }).end();
    const document = path.endsWith('/program.json') ? program() : editor(path);
    const keys = [{ ...key.publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'ES256' }];
    response.setHeader('Content-Type', path === '/page.json' ? 'text/html' : 'application/json');
    response.end(JSON.stringify(path === '/keys.json' ? { keys } : { client_id: address + path, ...document }));
  });
  address = website.address;
  server = await Countersign.startIn(
    { SSL_CERT_FILE: website.certificate },
    '--client-id-metadata-documents', 'on',
    '--private-clients', website.host,
    '--dynamic-registration', 'off',
  );
  await server.createAdministrator(person);
});

test.afterAll(async () => {
  const places = await server.traces();
  await server.stop();
  expect(places.concat(await server.traces())).toEqual([]);
  await server.remove();
  await website.stop();
});

const way = 'known by its metadata document, which is fetched over TLS';
test(`Python SDK: ${way}`, row('Python SDK', way), async () => {
  const env = {
    PATH: process.env.PATH,
    MCP_SERVER_URL: `${server.url}/mcp`,
    PERSON_EMAIL: person.email,
    PERSON_PASSWORD: person.password,
    CLIENT_METADATA_URL: `${address}/client.json`,
  };
  const { stdout } = await execute(resolve('.venv/bin/python'), ['clients/python/interactive.py'], { env });
  expect(stdout).toContain(person.name);
  expect(stdout).toContain(`known as ${address}/client.json`);
  expect(asked).toBe(1);
});

for (const [path, words] of [
  ['/elsewhere.json', 'answered 302'],
  ['/page.json', 'not application/json'],
  ['/long.json', 'longer than 5 KiB'],
] as const)
  test(`a document that ${words} is not used`, async ({ page }) => {
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: address + path,
      redirect_uri: 'http://localhost:3030/callback',
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
    });
    await page.goto(`${server.url}/mcp/oauth/authorize?${query}`);
    await page.getByLabel('Email').fill(person.email);
    await page.getByLabel('Password').fill(person.password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await expect(page.getByRole('heading', { name: 'This request cannot be answered' })).toBeVisible();
    await expect(page.getByText(words)).toBeVisible();
  });

/** Runs openid-client, which proves itself with the key. */
async function openidClient(way: string, CLIENT_ID: string, KEY_FILE: string) {
  await writeFile(KEY_FILE, key.privateKey.export({ format: 'pem', type: 'pkcs8' }));
  const env = {
    PATH: process.env.PATH,
    ISSUER: server.url,
    RESOURCE: `${server.url}/mcp`,
    REDIRECT_URI: 'http://localhost:3031/callback',
    PERSON_EMAIL: person.email,
    PERSON_PASSWORD: person.password,
    ALGORITHM: 'ES256',
  };
  const args = ['clients/libraries/openid-client.mjs', way];
  return (await execute(process.execPath, args, { env: { ...env, CLIENT_ID, KEY_FILE } })).stdout;
}

const itself = 'known by its metadata document, which an administrator approved';
test(`openid-client: ${itself}`, row('openid-client', itself), async ({ page }, info) => {
  // Longer than a line of a phone.
  const CLIENT_ID = `${address}/programs/of-the-warehouse-team/program.json`;
  await signIn(page, server);
  await page.goto(`${server.url}/credentials/new?${new URLSearchParams({ document: CLIENT_ID })}`);
  await expect(page.getByRole('radio', { name: 'Public key' })).toBeChecked();
  await expect(page.getByLabel('Client metadata document')).toHaveValue(CLIENT_ID);
  await examine(page, 'credential-new-document');
  await page.getByLabel('Name', { exact: true }).fill('nightly-reports');
  for (const scope of ['mcp:read', 'tokens:introspect']) await page.getByRole('checkbox', { name: scope }).check();
  await page.getByRole('button', { name: 'Generate credentials' }).click();
  await page.waitForURL(/\/credentials\/csc_/);
  const id = new URL(page.url()).pathname.split('/').pop()!;

  const stdout = await openidClient('key', CLIENT_ID, info.outputPath('key.pem'));
  expect(stdout).toContain(id);

  await page.goto(`${server.url}/credentials/${id}?view=secrets`);
  await expect(page.getByText('An administrator approved this client ID metadata document.')).toBeVisible();
  await expect(page.getByText('one, ES256')).toBeVisible();
  await examine(page, 'credential-document');
});

const publishes = 'a person signs in, the client publishes its keys';
test(`openid-client: ${publishes}`, row('openid-client', publishes), async ({ page }, info) => {
  await signIn(page, server);
  await page.goto(`${server.url}/apps/clients/new`);
  await examine(page, 'client-new');
  await page.getByLabel('Name', { exact: true }).fill(`Portal ${info.project.name}`);
  await page.getByLabel('Redirect URIs').fill('http://localhost:3031/callback');
  await page.getByLabel('Kind').selectOption('keys');
  await page.getByLabel('Address of the keys').fill(`${address}/keys.json`);
  await page.getByRole('button', { name: 'Add client' }).click();
  await page.waitForURL(/\/apps\/clients\/csc_/);
  const id = new URL(page.url()).pathname.split('/').pop()!;
  expect(await openidClient('person', id, info.outputPath('key.pem'))).toContain(person.name);
  await page.goto(`${server.url}/apps/clients/${id}`);
  await expect(page.getByText('one, ES256')).toBeVisible();

  // What was refused stands on its page, in words.
  const body = new URLSearchParams({ grant_type: 'authorization_code', code: 'coc_none', client_id: id });
  expect((await fetch(`${server.url}/mcp/oauth/token`, { method: 'POST', body })).status).toBe(401);
  await openUntil(() => page.reload(), page.getByText('Did not prove itself'));
  await expect(page.getByText('Compare the secret or the key of the program with this client.')).toBeVisible();
  await examine(page, 'client-refused');
});
