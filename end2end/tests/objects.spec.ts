import { expect, test, type Page } from '@playwright/test';
import { createAdministrator, examine, generate, press, rememberCookies, watch } from './browser';
import { Countersign } from './countersign';

// A credential as an object that people manage. Every task works with and without script.
test.describe.configure({ mode: 'serial' });

let server: Countersign;
let page: Page;
let problems: string[];

const open = (path: string) => page.goto(server.url + path);
const works = async (id: string, secret: string) => (await server.exchange(id, secret)).status === 200;
const views = () => page.getByRole('navigation', { name: 'Views of the credential' });
const secrets = () => page.getByRole('region', { name: 'Secrets' });

test.beforeAll(async ({ browser }) => {
  server = await Countersign.start();
  const context = await browser.newContext();
  problems = watch(context, server);
  page = await context.newPage();
  await createAdministrator(page, server);
  await rememberCookies(context, server);
});

test.afterEach(() => expect(problems).toEqual([]));

test.afterAll(async () => {
  await page.context().close();
  expect(await server.traces()).toEqual([]);
  await server.stop();
  await server.remove();
});

test('each view has its address, and the actions stay in sight', async () => {
  const { id } = await generate(page, server, 'nightly-index');
  for (const [name, title] of [
    ['Overview', 'nightly-index'],
    ['Secrets', 'Secrets of nightly-index'],
    ['Usage', 'Usage of nightly-index'],
    ['Activity', 'Activity of nightly-index'],
    ['Connect', 'Connect nightly-index'],
  ]) {
    await open(`/credentials/${id}?list=${encodeURIComponent('status=unverified')}`);
    await views().getByRole('link', { name }).click();
    await expect(page).toHaveTitle(`${title} · Countersign`);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('nightly-index');
    await expect(page.getByRole('link', { name: 'Disable', exact: true })).toBeInViewport();
    await expect(page.getByRole('link', { name: 'Revoke', exact: true })).toBeInViewport();
    await examine(page, `credential-view-${name.toLowerCase()}`);
  }
  await page.getByRole('navigation', { name: 'Breadcrumb' }).getByRole('link', { name: 'Credentials (unverified)' }).click();
  await expect(page).toHaveURL(`${server.url}/credentials?status=unverified`);
});

test('a second secret works beside the first, and each is removed by itself', async () => {
  const first = await generate(page, server, 'two places');
  await press(page, 'I have stored this secret');
  await views().getByRole('link', { name: 'Secrets' }).click();
  await press(page, 'Add a secret');
  await examine(page, 'secret-new');
  await press(page, 'Add secret');
  await expect(page.getByRole('heading', { name: 'Save your new client secret' })).toBeVisible();
  const second = await page.getByRole('textbox', { name: 'Client secret' }).inputValue();
  server.secret('second secret', second);
  for (const secret of [first.secret, second]) expect(await works(first.id, secret)).toBe(true);

  await open(`/credentials/${first.id}?view=secrets`);
  await expect(page.getByRole('link', { name: 'Add a secret' })).toHaveCount(0);
  const row = secrets().getByRole('row').filter({ hasText: first.secret.slice(-4) });
  await row.getByText('Remove', { exact: false }).first().click();
  await examine(page, 'secret-remove');
  await row.getByRole('button', { name: /Remove/ }).click();
  await expect(page.getByRole('status').first()).toContainText('Secret removed.');
  await expect(row).toContainText('Ended');
  expect(await works(first.id, first.secret)).toBe(false);
  expect(await works(first.id, second)).toBe(true);
});

test('servers, owner, tags and expiry are edited, and a mistake keeps them all', async () => {
  const docs = 'https://docs.example.com/mcp';
  await server.command(['server', 'add', '--name', 'Docs', '--resource', docs, '--scope', 'docs:read']);
  const job = await server.createCredential('to be edited');
  await server.accessToken(job.client_id, job.client_secret);
  await open(`/credentials/${job.client_id}`);
  await page.getByRole('link', { name: 'Edit', exact: true }).click();
  await page.getByRole('checkbox', { name: /^Docs / }).check();
  await page.getByRole('checkbox', { name: 'docs:read' }).check();
  await page.getByRole('checkbox', { name: /^Built-in server/ }).uncheck();
  await page.getByLabel('Owner').selectOption({ label: 'Ada Lovelace' });
  await page.getByLabel('Tags').fill('env:prod, a/b');
  await page.getByLabel('Notes').fill('Ask before you stop it.');
  await page.getByRole('radio', { name: 'In 30 days' }).check();
  await press(page, 'Save changes');
  await expect(page.getByRole('alert')).toContainText('“a/b” is not a tag.');
  await expect(page.getByRole('checkbox', { name: /^Docs / })).toBeChecked();
  await examine(page, 'edit-tags-mistake');
  await page.getByLabel('Tags').fill('env:prod nightly');
  await press(page, 'Save changes');
  await expect(page.getByRole('status').first()).toContainText('1 live token ended.');
  const main = page.getByRole('main');
  for (const text of ['docs.example.com/mcp', 'docs:read', 'env:prod', 'Ada Lovelace', 'Ask before you stop it.'])
    await expect(main).toContainText(text);
  await examine(page, 'credential-edited');
  const token = await (await server.exchange(job.client_id, job.client_secret)).json();
  expect(token.scope).toBe('docs:read');
});

test('a duplicate begins with the settings of the other one, and several servers ask for a choice', async () => {
  const job = await server.createCredential('model', '--mcp-server', 'https://docs.example.com/mcp', '--scope', 'docs:read');
  await open(`/credentials/${job.client_id}`);
  await press(page, 'Duplicate');
  await expect(page).toHaveTitle('Duplicate of model · Countersign');
  await expect(page.getByRole('textbox', { name: 'Name', exact: true })).toHaveValue('model copy');
  await expect(page.getByRole('checkbox', { name: /^Docs / })).toBeChecked();
  await examine(page, 'new-duplicate');
  await press(page, 'Generate credentials');
  await expect(page.getByRole('heading', { name: 'Save your client secret' })).toBeVisible();
  server.secret('secret of the duplicate', await page.getByRole('textbox', { name: 'Client secret' }).inputValue());

  await open('/credentials/new');
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('nowhere yet');
  await expect(page.getByLabel('Date', { exact: true })).toBeHidden();
  await page.getByRole('radio', { name: 'On a date' }).check();
  await expect(page.getByLabel('Date', { exact: true })).toBeVisible();
  await press(page, 'Generate credentials');
  for (const words of ['Choose at least one MCP server.', 'Choose the day on which it stops working.'])
    await expect(page.getByRole('alert')).toContainText(words);
  await examine(page, 'new-servers-mistake');
});
