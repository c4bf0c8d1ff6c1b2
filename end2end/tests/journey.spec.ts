import { expect, test, type Page } from '@playwright/test';
import { createAdministrator, generate, person, press, rememberCookies, signIn, watch } from './browser';
import { copyInEachWay } from './copying';
import { Countersign } from './countersign';

test.describe.configure({ mode: 'serial' });

let server: Countersign;
let page: Page;
let problems: string[];
let nightly: { id: string; secret: string };
let token: string;

const status = (text: string) => page.getByRole('main').getByText(text, { exact: true }).first();
const row = (name: string) => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name }) });
const open = (path: string) => page.goto(server.url + path);
/** Goes back, also to the answer to a form: there the browser shows an error, as it does not send the form again. */
async function goBack() {
  const left = page.url();
  await page.goBack().catch(() => {});
  await expect(page).not.toHaveURL(left);
}
const credentialPage = () => open(`/credentials/${nightly.id}`);

test.beforeAll(async ({ browser }) => {
  server = await Countersign.start();
  const context = await browser.newContext();
  problems = watch(context, server);
  page = await context.newPage();
});

test.afterEach(() => expect(problems).toEqual([]));

test.afterAll(async () => {
  await page.context().close();
  await server.remove();
});

test('the setup link makes the first administrator, once', async ({ browser }) => {
  await page.goto(server.setupLink);
  await page.getByLabel('Name', { exact: true }).fill(person.name);
  await page.getByLabel('Email').fill(person.email);
  await page.getByLabel('Password').fill('too short');
  await page.getByRole('button', { name: 'Create administrator' }).click();
  await expect(page.getByRole('alert')).toContainText('Password');
  await expect(page.getByRole('alert')).toBeFocused();
  await expect(page.getByLabel('Email')).toHaveValue(person.email);
  await expect(page.getByLabel('Password')).toHaveValue('');

  await createAdministrator(page, server);
  await rememberCookies(page.context(), server);

  const stranger = await browser.newPage();
  await stranger.goto(server.setupLink);
  await expect(stranger.getByRole('button', { name: 'Create administrator' })).toHaveCount(0);
  await stranger.goto(`${server.url}/credentials`);
  await expect(stranger).toHaveURL(/\/login/);
  await stranger.close();
});

test('a mistake keeps the input and says what to do', async () => {
  await open('/credentials/new');
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('nightly-index');
  await page.getByText('More options').click();
  await page.getByLabel('Allowed IP ranges').fill('10.0.0.0/99');
  await page.getByRole('button', { name: 'Generate credentials' }).click();

  await expect(page.getByRole('textbox', { name: 'Name', exact: true })).toHaveValue('nightly-index');
  const field = page.getByLabel('Allowed IP ranges');
  await expect(field).toBeVisible();
  await expect(field).toHaveValue('10.0.0.0/99');
  await expect(field).toHaveAttribute('aria-invalid', 'true');
  await expect(field).toHaveAccessibleDescription(/10\.0\.0\.0\/99/);
  await page.getByRole('alert').getByRole('link').click();
  await expect(field).toBeFocused();
});

test('a name is enough, and the secret is shown once', async () => {
  await open('/credentials/new');
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('nightly-index');
  const answer = page.waitForResponse((response) => response.request().method() === 'POST');
  await page.getByRole('button', { name: 'Generate credentials' }).click();
  await expect(page.getByRole('heading', { name: 'Save your client secret' })).toBeVisible();
  expect((await answer).status()).toBe(200);
  expect((await answer).headers()['cache-control']).toContain('no-store');

  nightly = {
    id: await page.getByRole('textbox', { name: 'Client ID' }).inputValue(),
    secret: await page.getByRole('textbox', { name: 'Client secret' }).inputValue(),
  };
  expect(nightly.id).toMatch(/^csc_[0-9A-Za-z]{22}$/);
  expect(nightly.secret).toMatch(/^css_[0-9A-Za-z]{49}$/);
  server.secret('secret of nightly-index', nightly.secret);

  const elsewhere = [page.url(), '/', '/credentials', '/credentials/new', `/credentials/${nightly.id}`, '/activity'];
  for (const path of elsewhere) {
    const source = await page.request.get(new URL(path, server.url).href);
    expect(source.status(), path).toBe(200);
    expect(await source.text(), path).not.toContain(nightly.secret);
  }
  expect(page.url()).not.toContain(nightly.secret);
  expect(JSON.stringify(await page.context().storageState())).not.toContain(nightly.secret);
  const tab = await page.context().newPage();
  await tab.goto(page.url());
  expect(await tab.content()).not.toContain(nightly.secret);
  await tab.close();
});

test('the page with the secret helps to keep it', { tag: '@scripts' }, async () => {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.getByRole('heading', { name: 'Save your client secret' }).click();

  const warning = page.waitForEvent('dialog');
  const leaving = page.evaluate(() => location.assign('/credentials')).catch(() => {});
  expect((await warning).type()).toBe('beforeunload');
  await (await warning).dismiss();
  await leaving;
  await expect(page.getByRole('textbox', { name: 'Client secret' })).toHaveValue(nightly.secret);

  const field = page.getByRole('textbox', { name: 'Client secret' });
  await copyInEachWay(page, 'Copy client secret', field);
  await page.getByRole('button', { name: 'Hide client secret' }).click();
  const text = page.locator('#code-env');
  await page.getByText('.env', { exact: true }).click();
  await text.evaluate((node) => getSelection()!.selectAllChildren(node));
  await page.keyboard.press('Control+C');
  expect(await page.evaluate(() => navigator.clipboard.readText()), 'masked text').toBe(await text.textContent());
  await copyInEachWay(page, 'Copy .env', text, { guarded: false });
});

test('going back from the credential does not show the secret again', async () => {
  await press(page, 'I have stored this secret');
  await expect(page.getByRole('heading', { name: 'nightly-index', level: 1 })).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Save your client secret' })).toHaveCount(0);
  await goBack();
  expect(await page.content()).not.toContain(nightly.secret);
  await open('/credentials');
  expect(await page.content()).not.toContain(nightly.secret);
});

test('reloading the page with the secret neither shows it again nor makes another credential', async () => {
  const { secret } = await generate(page, server, 'release-pipeline');
  await page.reload();
  expect(await page.content()).not.toContain(secret);
  expect(await page.content()).not.toMatch(/css_[0-9A-Za-z]{49}/);
  await open('/credentials');
  await expect(row('release-pipeline')).toHaveCount(1);
});

test('a form that arrives many times makes one credential', async () => {
  await open('/credentials/new');
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('data-sync');
  const form = page.locator('form').filter({ has: page.getByRole('button', { name: 'Generate credentials' }) });
  const { action, fields } = await form.evaluate((form: HTMLFormElement) => ({
    action: form.action,
    fields: Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)])),
  }));
  const send = () =>
    page.request.post(action, { form: fields, headers: { Origin: server.url, 'Sec-Fetch-Site': 'same-origin' } });
  const answers = await Promise.all([1, 2, 3, 4, 5].map(send));
  const secrets = (await Promise.all(answers.map((answer) => answer.text()))).flatMap(
    (text) => text.match(/css_[0-9A-Za-z]{49}/) ?? [],
  );
  expect(secrets).toHaveLength(1);
  server.secret('secret of data-sync', secrets[0]);
  await open('/credentials');
  await expect(row('data-sync')).toHaveCount(1);
});

test('the list shows the credential, and the search finds it', async () => {
  await open('/');
  await page.getByRole('navigation').getByRole('link', { name: 'Credentials' }).click();
  await expect(page.getByRole('heading', { name: 'Credentials', level: 1 })).toBeVisible();
  await expect(row('nightly-index')).toContainText('Unverified');
  await expect(row('nightly-index')).toContainText(nightly.id);
  for (const words of ['nightly', nightly.id]) {
    await page.getByRole('searchbox', { name: 'Search' }).fill(words);
    await page.getByRole('searchbox', { name: 'Search' }).press('Enter');
    await expect(page).toHaveURL(new RegExp(words));
    await expect(row('nightly-index')).toHaveCount(1);
    await expect(row('release-pipeline')).toHaveCount(0);
  }
});

test('the credential is exchanged and its token opens the MCP server', async () => {
  await credentialPage();
  await expect(page.getByRole('heading', { name: 'nightly-index', level: 1 })).toBeVisible();
  await expect(status('Unverified')).toBeVisible();

  const response = await server.exchange(nightly.id, nightly.secret, 'basic');
  expect(response.status).toBe(200);
  expect(response.headers.get('cache-control')).toContain('no-store');
  expect(await response.json()).toMatchObject({ token_type: 'Bearer', expires_in: 600, scope: 'mcp:read' });
  token = await server.accessToken(nightly.id, nightly.secret, 'post');

  const tools = await server.callMcp(token, 'tools/list');
  expect(tools.status).toBe(200);
  expect(await tools.text()).toContain('whoami');
  const whoami = await server.callMcp(token, 'tools/call', { name: 'whoami', arguments: {} });
  expect(whoami.status).toBe(200);
  const answer = await whoami.text();
  for (const part of ['nightly-index', nightly.id, 'mcp:read']) expect(answer).toContain(part);

  await page.reload();
  await expect(status('In use')).toBeVisible();
  await expect(page.getByRole('main')).toContainText('127.0.0.1');
  await open('/credentials');
  await expect(row('nightly-index')).toContainText('In use');
});

test('without a token the MCP server says where to get one', async () => {
  const response = await server.callMcp('', 'tools/list');
  expect(response.status).toBe(401);
  const challenge = response.headers.get('www-authenticate')!;
  expect(challenge).toMatch(/^Bearer /);
  const metadata = await (await fetch(/resource_metadata="([^"]+)"/.exec(challenge)![1])).json();
  expect(metadata).toMatchObject({ resource: `${server.url}/mcp`, authorization_servers: [server.url] });
});

test('disabling stops the credential and its token, enabling restores both', async () => {
  await credentialPage();
  await press(page, 'Disable');
  await press(page, 'Disable credential');
  await expect(status('Disabled')).toBeVisible();
  expect((await server.exchange(nightly.id, nightly.secret)).status).toBe(401);
  expect((await server.callMcp(token, 'tools/list')).status).toBe(401);

  await press(page, 'Enable');
  await expect(status('In use')).toBeVisible();
  expect((await server.exchange(nightly.id, nightly.secret)).status).toBe(200);
  expect((await server.callMcp(token, 'tools/list')).status).toBe(200);
});

test('an edit is kept, with what was there before', async () => {
  await open('/credentials');
  await page.getByRole('link', { name: 'release-pipeline' }).click();
  await page.getByRole('link', { name: 'Edit', exact: true }).click();
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('release-train');
  await page.getByLabel('Description').fill('Publishes every Tuesday');
  await page.getByRole('button', { name: 'Save changes' }).click();
  await expect(page.getByRole('heading', { name: 'release-train', level: 1 })).toBeVisible();
  await expect(page.getByRole('main')).toContainText('Publishes every Tuesday');

  await open('/activity');
  const entry = page.getByRole('main');
  for (const text of ['release-pipeline', 'release-train', 'Publishes every Tuesday'])
    await expect(entry).toContainText(text);
});

test('revoking is final and takes the live token with it', async () => {
  await credentialPage();
  await press(page, 'Revoke');
  await expect(page.getByRole('main')).toContainText(/live token/i);
  await page.getByRole('textbox', { name: 'Reason' }).fill('Found in a public log');
  await page.getByRole('button', { name: 'Revoke credential' }).click();
  await expect(page).toHaveURL(`${server.url}/credentials/${nightly.id}?done=revoked`);
  await expect(status('Revoked')).toBeVisible();
  await expect(page.getByRole('main')).toContainText('Found in a public log');

  const refused = await server.exchange(nightly.id, nightly.secret);
  expect(refused.status).toBe(401);
  expect(refused.headers.get('www-authenticate')).toMatch(/^Basic /);
  const body = await refused.text();
  expect(JSON.parse(body).error).toBe('invalid_client');
  const wrong = await server.exchange(nightly.id, 'css_wrong');
  expect([wrong.status, await wrong.text()]).toEqual([401, body]);
  const posted = await server.exchange(nightly.id, nightly.secret, 'post');
  expect([posted.status, await posted.text()]).toEqual([401, body]);

  const closed = await server.callMcp(token, 'tools/list');
  expect(closed.status).toBe(401);
  expect(closed.headers.get('www-authenticate')).toContain('error="invalid_token"');

  await open('/credentials');
  await expect(row('nightly-index')).toContainText('Revoked');
});

test('the activity tells who did what', async () => {
  await open('/');
  await page.getByRole('navigation').getByRole('link', { name: 'Activity' }).click();
  const main = page.getByRole('main');
  for (const text of [person.name, 'nightly-index', 'Found in a public log']) await expect(main).toContainText(text);
  for (const action of [/generated|created/i, /disabled/i, /enabled/i, /revoked/i])
    await expect(main).toContainText(action);
  expect(await server.command(['audit', 'verify'])).not.toBe('');
});

test('people change their own name and password and end their other sessions', async ({ browser }) => {
  const other = await (await browser.newContext()).newPage();
  await signIn(other, server);
  await expect(other.getByRole('button', { name: 'Sign out' })).toBeVisible();
  await rememberCookies(other.context(), server);

  await open('/account');
  await page.getByLabel('Name', { exact: true }).fill('Ada King');
  await page.getByRole('button', { name: 'Save name' }).click();
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue('Ada King');
  await page.locator('summary', { hasText: 'End on' }).first().click();
  await page.getByRole('button', { name: 'End session' }).first().click();
  await expect(page.getByRole('button', { name: 'Sign out' })).toBeVisible();
  await other.goto(`${server.url}/credentials`);
  await expect(other).toHaveURL(/\/login/);

  await signIn(other, server);
  await expect(other.getByRole('button', { name: 'Sign out' })).toBeVisible();
  await open('/account');
  await page.getByLabel('Current password').fill('not the password at all');
  await page.getByLabel('New password').fill('second & longer 99%');
  await page.getByRole('button', { name: 'Change password' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  server.secret('new password', 'second & longer 99%');
  await page.getByLabel('Current password').fill(person.password);
  await page.getByLabel('New password').fill('second & longer 99%');
  await page.getByRole('button', { name: 'Change password' }).click();
  await expect(page.getByRole('main').getByRole('status')).toContainText('assword');
  await other.goto(`${server.url}/credentials`);
  await expect(other).toHaveURL(/\/login/);
  await other.context().close();
});

test('signing out ends the session; signing in has one message for every failure', async () => {
  await rememberCookies(page.context(), server);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page).toHaveURL(/\/login/);
  await goBack();
  expect(await page.content()).not.toContain('release-train');
  await open('/credentials');
  await expect(page).toHaveURL(/\/login/);

  const messages = [];
  for (const email of [person.email, 'nobody@example.com']) {
    await open('/login');
    await page.getByLabel('Email').fill(email);
    await page.getByLabel('Password').fill(person.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    messages.push(await page.getByRole('alert').innerText());
    await expect(page.getByLabel('Email')).toHaveValue(email);
    await expect(page.getByLabel('Password')).toHaveValue('');
  }
  expect(messages[0]).toBe(messages[1]);

  await signIn(page, server, 'second & longer 99%');
  await expect(page.getByRole('button', { name: 'Sign out' })).toBeVisible();
  await rememberCookies(page.context(), server);
});

test('no secret is left in the log, the database or a backup', async () => {
  await server.command(['backup', 'backup.db']);
  const public_ = new Map([['identifier', nightly.id]]);
  const places = await server.traces(public_);
  expect(places).toEqual(expect.arrayContaining(['identifier in log', 'identifier in backup.db']));
  expect(places.join()).toContain('identifier in data/countersign.db');
  expect(await server.traces()).toEqual([]);
  await server.stop();
  expect(await server.traces()).toEqual([]);
});
