import { createPrivateKey, generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { expect, test, type Page } from '@playwright/test';
import { SignJWT } from 'jose';
import { createAdministrator, examine, watch } from './browser';
import { Countersign } from './countersign';

/** Credentials without a secret, and further MCP servers, as an administrator makes them. */
test.describe.configure({ mode: 'serial' });

let server: Countersign;
let page: Page;
let problems: string[];

test.beforeAll(async ({ browser }) => {
  server = await Countersign.start();
  const context = await browser.newContext({ acceptDownloads: true });
  problems = watch(context, server);
  page = await context.newPage();
  await createAdministrator(page, server);
});

test.afterEach(() => expect(problems).toEqual([]));

test.afterAll(async () => {
  await page.context().close();
  expect(await server.traces()).toEqual([]);
  await server.stop();
  await server.remove();
});

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

function exchange(fields: Record<string, string>): Promise<Response> {
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_assertion_type: assertionType, ...fields });
  return fetch(`${server.url}/mcp/oauth/token`, { method: 'POST', body });
}

const assertion = (key: KeyObject, id: string) =>
  new SignJWT({ iss: id, sub: id, aud: server.url, jti: randomUUID() })
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(key);

async function start(method: string, name: string) {
  await page.goto(`${server.url}/credentials/new`);
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill(name);
  await page.getByText('More options').click();
  await page.getByRole('radio', { name: method }).check();
}

const clientId = () => /csc_\w{22}/.exec(page.url())![0];
const publicKey = () => page.getByRole('textbox', { name: 'Public key' });
const submit = (name: string) => page.getByRole('button', { name, exact: true }).click();
const pem = (key: KeyObject) => key.export({ format: 'pem', type: 'spki' }) as string;

test('a public key is pasted, used, replaced and removed', async () => {
  test.setTimeout(300_000);
  const old = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await start('Public key', 'signer');
  await expect(page.getByRole('textbox', { name: 'Issuer', exact: true })).toBeHidden();
  await publicKey().fill(old.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string);
  await submit('Generate credentials');
  await expect(page.getByRole('alert')).toContainText('private key');
  await expect(publicKey()).toHaveValue('');
  await examine(page, 'new-key-mistake');
  await publicKey().fill(pem(old.publicKey));
  await page.getByRole('textbox', { name: 'Key label' }).fill('runner 2026');
  await submit('Generate credentials');
  await expect(page.getByRole('heading', { name: 'signer' })).toBeVisible();
  const id = clientId();
  expect((await exchange({ client_assertion: await assertion(old.privateKey, id) })).status).toBe(200);
  await page.goto(`${server.url}/credentials/${id}`);
  await expect(page.getByRole('row', { name: /runner 2026/ })).toContainText('Current');
  await examine(page, 'credential-key');

  const fresh = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await page.getByRole('link', { name: 'Add a key' }).click();
  await examine(page, 'key-new');
  await publicKey().fill('not a key');
  await submit('Add key');
  await expect(page.getByRole('alert')).toContainText('Paste a public key');
  await publicKey().fill(JSON.stringify(fresh.publicKey.export({ format: 'jwk' })));
  await page.getByRole('textbox', { name: 'Key label' }).fill('runner 2027');
  await submit('Add key');
  await expect(page.getByRole('status').first()).toContainText('Added');
  for (const key of [old, fresh])
    expect((await exchange({ client_assertion: await assertion(key.privateKey, id) })).status).toBe(200);

  await page.getByText('Remove runner 2026').click();
  await page.getByRole('row', { name: /runner 2026/ }).getByRole('button', { name: 'Remove now' }).click();
  await expect(page.getByRole('row', { name: /runner 2026/ })).toContainText('Removed');
  expect((await exchange({ client_assertion: await assertion(old.privateKey, id) })).status).toBe(401);
  expect((await exchange({ client_assertion: await assertion(fresh.privateKey, id) })).status).toBe(200);
});

test('a pair is made in the browser, and its private half stays there @scripts', async () => {
  await start('Public key', 'made in the browser');
  await submit('Generate key pair');
  await expect(page.locator('#key-status')).toContainText('The pair is made');
  const waiting = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download private key' }).click();
  const text = await readFile(await (await waiting).path(), 'utf8');
  expect(text).toContain('BEGIN PRIVATE KEY');
  server.secret('private key', text.split('\n')[1]);
  await expect(publicKey()).toHaveValue(/BEGIN PUBLIC KEY/);
  await submit('Generate credentials');
  await expect(page.getByRole('heading', { name: 'made in the browser' })).toBeVisible();
  const answer = await exchange({ client_assertion: await assertion(createPrivateKey(text), clientId()) });
  expect(answer.status).toBe(200);
});

test('a workload of another issuer stands for a credential', async () => {
  test.setTimeout(300_000);
  const issuer = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await start('Federated identity', 'deploy from CI');
  await page.getByRole('link', { name: 'GitHub Actions' }).click();
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('deploy from CI');
  await expect(page.getByRole('textbox', { name: 'Issuer', exact: true })).toHaveValue(
    'https://token.actions.githubusercontent.com',
  );
  await examine(page, 'new-federated');
  await page.getByRole('textbox', { name: 'Subject' }).fill('repo:acme/app:ref:refs/heads/main');
  await page.getByRole('textbox', { name: 'Further conditions' }).fill('repository_owner=acme');
  const jwks = JSON.stringify({ keys: [issuer.publicKey.export({ format: 'jwk' })] });
  await page.getByRole('textbox', { name: 'Issuer’s keys' }).fill(jwks);
  await submit('Generate credentials');
  await expect(page.getByRole('heading', { name: 'deploy from CI' })).toBeVisible();
  const id = clientId();

  const token = (claims: Record<string, string>) =>
    new SignJWT({ repository_owner: 'acme', ...claims })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer('https://token.actions.githubusercontent.com')
      .setSubject('repo:acme/app:ref:refs/heads/main')
      .setAudience(server.url)
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(issuer.privateKey);
  expect((await exchange({ client_id: id, client_assertion: await token({}) })).status).toBe(200);
  expect((await exchange({ client_assertion: await token({}) })).status).toBe(200);
  const refused = await exchange({ client_id: id, client_assertion: await token({ repository_owner: 'evil' }) });
  expect(refused.status).toBe(401);
  await expect(async () => {
    await page.goto(`${server.url}/credentials/${id}`);
    await expect(page.getByText('repository_owner must be acme')).toBeVisible({ timeout: 500 });
  }).toPass();
  await examine(page, 'credential-federated');
});

test('a further MCP server gets tokens of its own', async () => {
  test.setTimeout(300_000);
  await page.getByRole('link', { name: 'MCP servers' }).click();
  await expect(page.getByRole('heading', { name: 'MCP servers' })).toBeVisible();
  await page.getByRole('link', { name: 'Add an MCP server' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Documents');
  await page.getByRole('textbox', { name: 'Resource' }).fill('docs.example.com');
  await page.getByRole('textbox', { name: 'Scopes' }).fill('docs:read Read the documents.\ndocs:write Change them.');
  await submit('Add MCP server');
  await expect(page.getByRole('alert')).toContainText('URL');
  await examine(page, 'server-new-mistake');
  await page.getByRole('textbox', { name: 'Resource' }).fill('https://docs.example.com/mcp');
  await submit('Add MCP server');
  await expect(page.getByRole('heading', { name: 'Documents' })).toBeVisible();
  await examine(page, 'server');
  await page.goto(`${server.url}/servers`);
  await expect(page.getByRole('rowheader', { name: 'Documents' })).toBeVisible();
  await examine(page, 'servers');

  const credential = await server.createCredential(
    'reader', '--mcp-server', 'https://docs.example.com/mcp', '--mcp-server', `${server.url}/mcp`,
    '--scope', 'docs:read', '--scope', 'mcp:read',
  );
  const granted = async (resource?: string) => {
    const body = new URLSearchParams({ grant_type: 'client_credentials', ...(resource && { resource }) });
    const headers = { Authorization: `Basic ${btoa(`${credential.client_id}:${credential.client_secret}`)}` };
    server.secret('basic header', headers.Authorization.slice(6));
    const answer = await fetch(`${server.url}/mcp/oauth/token`, { method: 'POST', headers, body });
    const { access_token, scope, error } = await answer.json();
    return error ?? [JSON.parse(Buffer.from(access_token.split('.')[1], 'base64url').toString()).aud, scope];
  };
  expect(await granted()).toEqual(['https://docs.example.com/mcp', 'docs:read']);
  expect(await granted(`${server.url}/mcp`)).toEqual([`${server.url}/mcp`, 'mcp:read']);
  expect(await granted('https://other.example/mcp')).toBe('invalid_target');
});

test('a page of an allowed origin gets a token and calls the MCP server @scripts', async ({ browser }) => {
  const pages = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<title>app</title>'));
  await new Promise<void>((done) => pages.listen(0, '127.0.0.1', done));
  const origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  const open = await Countersign.start('--allowed-origins', origin);
  const { client_id, client_secret } = await open.createCredential('browser app');
  const app = await browser.newPage();
  await app.goto(origin);
  const answer = await app.evaluate(
    async ([url, id, secret]) => {
      const unauthorized = await fetch(`${url}/mcp`, { method: 'POST', headers: { 'content-type': 'application/json' } });
      const challenge = unauthorized.headers.get('www-authenticate') ?? '';
      const where = /resource_metadata="([^"]+)"/.exec(challenge)![1];
      const [issuer] = (await (await fetch(where)).json()).authorization_servers;
      const metadata = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json();
      const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: id, client_secret: secret });
      const { access_token } = await (await fetch(metadata.token_endpoint, { method: 'POST', body })).json();
      const tools = await fetch(`${url}/mcp`, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${access_token}`,
          'Content-Type': 'application/json',
          Accept: 'application/json, text/event-stream',
          'MCP-Protocol-Version': '2025-11-25',
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }),
      });
      return [unauthorized.status, JSON.stringify(await tools.json())] as const;
    },
    [open.url, client_id, client_secret],
  );
  expect(answer[0]).toBe(401);
  expect(answer[1]).toContain('whoami');

  const other = await browser.newPage();
  await other.goto(origin.replace('127.0.0.1', 'localhost'));
  const blocked = await other.evaluate((url) => fetch(`${url}/mcp`, { method: 'POST' }).catch(String), open.url);
  expect(blocked).toContain('TypeError');
  await app.close();
  await other.close();
  pages.close();
  await open.stop();
  await open.remove();
});
