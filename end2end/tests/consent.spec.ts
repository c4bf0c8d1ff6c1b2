import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test, type Page } from '@playwright/test';
import { createAdministrator, examine, javaScript, person, press, watch } from './browser';
import { copyInEachWay } from './copying';
import { Countersign } from './countersign';

/** A client on the person's computer. It listens for the authorization response, and shows a page. */
class Client {
  private readonly answers: URLSearchParams[] = [];
  private readonly waiting: ((answer: URLSearchParams) => void)[] = [];
  private constructor(
    private readonly server: Server,
    readonly redirectUri: string,
  ) {}

  static async listen(): Promise<Client> {
    const server = createServer((request, response) => {
      const url = new URL(request.url!, client.redirectUri);
      // Some clients redirect on to an origin that nobody registered, so this client does.
      if (url.pathname === '/callback' && request.headers.host!.startsWith('localhost'))
        response.writeHead(302, { Location: `http://127.0.0.1:${url.port}/done` }).end();
      else response.setHeader('Content-Type', 'text/html').end('<title>Client</title><h1>Back in the client</h1>');
      if (url.pathname !== '/callback') return;
      const waiting = client.waiting.shift();
      if (waiting) waiting(url.searchParams);
      else client.answers.push(url.searchParams);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = new Client(server, `http://localhost:${(server.address() as AddressInfo).port}/callback`);
    return client;
  }

  answer(): Promise<URLSearchParams> {
    const arrived = this.answers.shift();
    return arrived ? Promise.resolve(arrived) : new Promise((done) => this.waiting.push(done));
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }
}

const verifier = randomBytes(32).toString('base64url');
const challenge = createHash('sha256').update(verifier).digest('base64url');

function authorizeUrl(server: Countersign, clientId: string, redirectUri: string): string {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    state: 'state of the client',
    resource: `${server.url}/mcp`,
    scope: 'mcp:read',
  });
  return `${server.url}/mcp/oauth/authorize?${query}`;
}

async function redeem(server: Countersign, fields: Record<string, string>, headers = {}) {
  const answer = await fetch(`${server.url}/mcp/oauth/token`, {
    method: 'POST',
    headers,
    body: new URLSearchParams({ grant_type: 'authorization_code', code_verifier: verifier, ...fields }),
  });
  const body = await answer.json();
  expect(answer.status, JSON.stringify(body)).toBe(200);
  server.secret('code', fields.code);
  server.secret('access token', body.access_token.split('.')[2]);
  server.secret('refresh token', body.refresh_token);
  return body;
}

/** Signs in on the page that the authorization request led to. */
async function signInThere(page: Page) {
  await page.getByLabel('Email').fill(person.email);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

test('a person chooses the MCP server of a client that names none', async ({ page, context }) => {
  const server = await Countersign.start();
  const client = await Client.listen();
  const problems = watch(context, server);
  await createAdministrator(page, server);
  const resource = 'https://docs.example.com/mcp';
  await page.goto(`${server.url}/servers/new`);
  await page.getByRole('textbox', { name: 'Name' }).fill('Docs');
  await page.getByRole('textbox', { name: 'Resource' }).fill(resource);
  const lines = 'docs:write (implies docs:read) Create and change pages.\ndocs:read Read the documents.';
  await page.getByRole('textbox', { name: 'Scopes' }).fill(lines);
  await press(page, 'Add MCP server');
  await expect(page.getByText('Implies docs:read')).toBeVisible();
  const registration = await fetch(`${server.url}/mcp/oauth/register`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      client_name: 'Assistant',
      redirect_uris: [client.redirectUri],
      token_endpoint_auth_method: 'none',
    }),
  });
  const { client_id } = await registration.json();
  const address = new URL(authorizeUrl(server, client_id, client.redirectUri));
  address.searchParams.delete('resource');
  address.searchParams.delete('scope');
  await page.goto(address.href);
  await examine(page, 'consent-choice');
  await page.getByRole('button', { name: 'Allow' }).click();
  await expect(page.getByText('Choose an MCP server.')).toBeVisible();
  await examine(page, 'consent-choice-missing');
  await page.getByRole('radio', { name: 'Docs' }).check();
  await page.getByRole('button', { name: 'Allow' }).click();
  const code = (await client.answer()).get('code')!;
  const { access_token, scope } = await redeem(server, { code, client_id, redirect_uri: client.redirectUri });
  expect(scope).toBe('docs:write docs:read');
  expect(JSON.parse(Buffer.from(access_token.split('.')[1], 'base64url').toString()).aud).toBe(resource);
  const expected = ['422', `:${new URL(client.redirectUri).port}`];
  expect(problems.filter((problem) => !expected.some((part) => problem.includes(part)))).toEqual([]);
  client.close();
  expect(await server.traces()).toEqual([]);
  await server.stop();
  await server.remove();
});

test('a person lets a public client act for them, and ends its access', async ({ page, context }) => {
  const server = await Countersign.start();
  const client = await Client.listen();
  const problems = watch(context, server);
  await createAdministrator(page, server);
  await page.goto(`${server.url}/apps`);
  await expect(page.getByText('No app is connected.')).toBeVisible();
  await examine(page, 'apps-empty');
  await page.goto(`${server.url}/apps/clients`);
  await examine(page, 'clients-empty');
  await press(page, 'Sign out');
  const registration = await fetch(`${server.url}/mcp/oauth/register`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      client_name: 'Desk <b>assistant</b>',
      redirect_uris: [client.redirectUri],
      token_endpoint_auth_method: 'none',
    }),
  });
  const { client_id } = await registration.json();
  const address = authorizeUrl(server, client_id, client.redirectUri);

  await test.step('signs in on the way', async () => {
    await page.goto(address);
    await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
    await signInThere(page);
    await expect(page.getByRole('heading', { name: 'Allow access' })).toBeVisible();
    await expect(page.getByText('Desk <b>assistant</b>')).toBeVisible();
    await expect(page.getByText(new URL(client.redirectUri).host)).toBeVisible();
    await examine(page, 'consent');
  });

  await test.step('denies it', async () => {
    await page.getByRole('button', { name: 'Deny' }).click();
    const answer = await client.answer();
    expect(Object.fromEntries(answer)).toMatchObject({
      error: 'access_denied', state: 'state of the client', iss: server.url,
    });
    await expect(page.getByRole('heading', { name: 'Back in the client' })).toBeVisible();
  });

  const tokens = await test.step('allows it', async () => {
    await page.goto(address);
    await page.getByRole('button', { name: 'Allow' }).click();
    const answer = await client.answer();
    expect(Object.fromEntries(answer)).toMatchObject({ state: 'state of the client', iss: server.url });
    const code = answer.get('code')!;
    return redeem(server, { code, client_id, redirect_uri: client.redirectUri });
  });
  const called = await server.callMcp(tokens.access_token, 'tools/call', { name: 'whoami' });
  expect(await called.text()).toContain(person.name);

  await test.step('ends its access', async () => {
    await page.goto(`${server.url}/apps`);
    await expect(page.getByRole('rowheader')).toContainText('Desk <b>assistant</b>');
    await examine(page, 'apps');
    await page.locator('summary', { hasText: 'End access' }).click();
    await examine(page, 'apps-question');
    await page.getByRole('button', { name: /^End access now/ }).click();
    await expect(page.getByText('Access ended.')).toBeVisible();
    expect((await server.callMcp(tokens.access_token, 'tools/list')).status).toBe(401);
    await page.goto(`${server.url}/apps/clients`);
    await examine(page, 'clients');
    await page.getByRole('link', { name: 'Desk <b>assistant</b>' }).click();
    await examine(page, 'client');
  });

  await test.step('is not sent to an address that nobody registered', async () => {
    await page.goto(address.replace(encodeURIComponent('/callback'), encodeURIComponent('/elsewhere')));
    await expect(page.getByRole('heading', { name: 'This request cannot be answered' })).toBeVisible();
    await examine(page, 'consent-refused');
  });

  expect(problems.filter((problem) => !problem.includes(`:${new URL(client.redirectUri).port}`))).toEqual([]);
  client.close();
  expect(await server.traces()).toEqual([]);
  await server.stop();
  await server.remove();
});

test('a person is asked once about a confidential client', async ({ page }) => {
  const server = await Countersign.start();
  const client = await Client.listen();
  await createAdministrator(page, server);
  await page.goto(`${server.url}/apps/clients/new`);
  await examine(page, 'new-client');
  await page.getByLabel('Name', { exact: true }).fill('Portal');
  await page.getByLabel('Redirect URIs').fill('http://portal.example/');
  await page.getByLabel('Kind').selectOption({ label: 'Confidential: runs on a server, keeps a secret' });
  await page.getByRole('button', { name: 'Add client' }).click();
  await expect(page.getByRole('alert')).toContainText('Use https');
  await examine(page, 'new-client-refused');
  await page.getByLabel('Redirect URIs').fill(client.redirectUri);
  await page.getByRole('button', { name: 'Add client' }).click();
  await expect(page.getByRole('heading', { name: 'Save your client secret' })).toBeVisible();
  const id = await page.getByRole('textbox', { name: 'Client ID' }).inputValue();
  const secret = await page.getByRole('textbox', { name: 'Client secret' }).inputValue();
  server.secret('client secret', secret);
  await examine(page, 'reveal-client');
  await copyInEachWay(page, 'Copy client secret', page.getByRole('textbox', { name: 'Client secret' }));
  if (javaScript()) page.on('dialog', (dialog) => dialog.accept());
  await press(page, 'I have stored this secret');
  await expect(page.getByRole('heading', { name: 'Portal' })).toBeVisible();

  const address = authorizeUrl(server, id, client.redirectUri);
  const headers = { Authorization: `Basic ${btoa(`${id}:${secret}`)}` };
  await page.goto(address);
  await expect(page.getByText('Registered by an administrator')).toBeVisible();
  await page.getByRole('button', { name: 'Allow' }).click();
  const code = (await client.answer()).get('code')!;
  await redeem(server, { code, redirect_uri: client.redirectUri }, headers);

  // The second request leads straight back to the client, also after a sign-in.
  await page.goto(address);
  await expect(page.getByRole('heading', { name: 'Back in the client' })).toBeVisible();
  expect((await client.answer()).get('code')).toBeTruthy();
  await page.context().clearCookies();
  await page.goto(address);
  await signInThere(page);
  await expect(page.getByRole('heading', { name: 'Back in the client' })).toBeVisible();
  const again = (await client.answer()).get('code')!;
  const tokens = await redeem(server, { code: again, redirect_uri: client.redirectUri }, headers);

  await page.goto(`${server.url}/apps/clients/${id}`);
  await press(page, 'Edit');
  await page.getByLabel('Name', { exact: true }).fill('Portal of the docs');
  await examine(page, 'client-edit');
  await press(page, 'Save changes');
  await expect(page.getByText('Changes saved.')).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Portal of the docs' })).toBeVisible();
  await examine(page, 'client-confidential');

  // The secret is replaced, and the person's consent works on with the new secret.
  await press(page, 'Replace secret');
  await examine(page, 'client-secret');
  await press(page, 'Replace secret');
  await expect(page.getByRole('heading', { name: 'Save your client secret' })).toBeVisible();
  const replacement = await page.getByRole('textbox', { name: 'Client secret' }).inputValue();
  server.secret('second client secret', replacement);
  await press(page, 'I have stored this secret');
  const refresh = (of: string) => {
    const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token });
    return fetch(`${server.url}/mcp/oauth/token`, {
      method: 'POST', headers: { Authorization: `Basic ${btoa(`${id}:${of}`)}` }, body,
    });
  };
  expect((await refresh(secret)).status).toBe(401);
  const refreshed = await refresh(replacement);
  expect(refreshed.status).toBe(200);
  const fresh = await refreshed.json();
  server.secret('refreshed token', fresh.access_token.split('.')[2]);
  server.secret('next refresh token', fresh.refresh_token);

  // The client is disabled. When it is enabled again, its tokens work again.
  await page.goto(`${server.url}/apps/clients/${id}`);
  await press(page, 'Disable');
  await examine(page, 'client-disable');
  await press(page, 'Disable client');
  await expect(page.getByText('Disabled', { exact: false }).first()).toBeVisible();
  await examine(page, 'client-disabled');
  expect((await server.callMcp(fresh.access_token, 'tools/list')).status).toBe(401);
  await page.goto(address);
  await expect(page.getByText('disabled', { exact: false }).first()).toBeVisible();
  await page.goto(`${server.url}/apps/clients/${id}`);
  await press(page, 'Enable again');
  await examine(page, 'client-enable');
  await press(page, 'Enable client');
  await expect.poll(async () => (await server.callMcp(fresh.access_token, 'tools/list')).status).toBe(200);

  client.close();
  expect(await server.traces()).toEqual([]);
  await server.stop();
  await server.remove();
});
