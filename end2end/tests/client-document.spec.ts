import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@playwright/test';
import { person } from './browser';
import { row } from '../interoperability';
import { Countersign } from './countersign';

const execute = promisify(execFile);

/** A website with a self-signed certificate. It publishes the metadata document of a client. */
let website: Server;
let address: string;
let folder: string;
let asked = 0;
let server: Countersign;

test.beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'website-'));
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  await execute('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-keyout', key,
    '-out', certificate, '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost',
    '-addext', 'basicConstraints=critical,CA:FALSE',
  ]);
  website = createServer({ key: await readFile(key), cert: await readFile(certificate) }, (request, response) => {
    asked += 1;
    if (request.url === '/elsewhere.json') return void response.writeHead(302, { Location: '/client.json' }).end();
    const document = {
      client_id: address + request.url,
      client_name: 'Editor',
      redirect_uris: ['http://localhost:3030/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
      padding: request.url === '/long.json' ? 'x'.repeat(6000) : undefined,
    };
    response.setHeader('Content-Type', request.url === '/page.json' ? 'text/html' : 'application/json');
    response.end(JSON.stringify(document));
  }).listen(0, '127.0.0.1');
  await once(website, 'listening');
  address = `https://localhost:${(website.address() as AddressInfo).port}`;
  server = await Countersign.startIn(
    { SSL_CERT_FILE: certificate },
    '--client-id-metadata-documents', 'on',
    '--private-clients', new URL(address).host,
    '--dynamic-registration', 'off',
  );
  await server.createAdministrator(person);
});

test.afterAll(async () => {
  const places = await server.traces();
  await server.stop();
  expect(places.concat(await server.traces())).toEqual([]);
  await server.remove();
  website.close();
  website.closeAllConnections();
  await rm(folder, { recursive: true });
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
