import { createServer, type Server } from 'node:http';
import { expect, test, type Page } from '@playwright/test';
import { createAdministrator, examine, press, watch } from './browser';
import { Countersign } from './countersign';

/** An MCP server as an object that an administrator manages: added, checked, edited, archived, taken back, removed. */
test.describe.configure({ mode: 'serial' });

let server: Countersign;
let upstream: Server;
let resource: string;
let page: Page;
let problems: string[];
/** The page of the server. */
let docs: string;

test.beforeAll(async ({ browser }) => {
  // It accepts every token: the check must find that.
  upstream = createServer((request, answer) => {
    const metadata = `${new URL(resource).origin}/.well-known/oauth-protected-resource/mcp`;
    if (request.method === 'GET') {
      answer.end(JSON.stringify({ resource, authorization_servers: [server.url], scopes_supported: ['docs:read'] }));
    } else if (request.headers.authorization) {
      answer.end('{}');
    } else {
      answer.writeHead(401, { 'WWW-Authenticate': `Bearer resource_metadata="${metadata}"` }).end();
    }
  });
  await new Promise<void>((listens) => upstream.listen(0, '127.0.0.1', listens));
  const { port } = upstream.address() as { port: number };
  resource = `http://127.0.0.1:${port}/mcp`;
  server = await Countersign.start('--private-upstreams', `127.0.0.1:${port}`);
  const context = await browser.newContext({ javaScriptEnabled: test.info().project.use.javaScriptEnabled });
  problems = watch(context, server);
  page = await context.newPage();
  await createAdministrator(page, server);
});

test.afterEach(() => expect(problems).toEqual([]));

test.afterAll(async () => {
  await page.context().close();
  upstream.close();
  expect(await server.traces()).toEqual([]);
  await server.stop();
  await server.remove();
});

test('an added server says what comes next', async () => {
  await page.goto(`${server.url}/servers/new`);
  await page.getByRole('textbox', { name: 'Name' }).fill('Docs');
  await page.getByRole('textbox', { name: 'Resource' }).fill(resource);
  await page.getByRole('textbox', { name: 'Scopes' }).fill('docs:read Read the documents.\ndocs:write');
  await press(page, 'Add MCP server');
  await expect(page.getByRole('link', { name: 'Generate a credential for Docs' })).toBeVisible();
  await expect(page.getByText('1 scope has no description')).toBeVisible();
  docs = page.url().split('?')[0];
  await examine(page, 'server-added');
});

test('a check finds that tokens for other servers are accepted', async () => {
  await page.goto(docs);
  await page.getByRole('button', { name: 'Check now' }).first().click();
  const row = (name: string) => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name }) });
  await expect(row('The refusal points to the metadata')).toContainText('Passed');
  await expect(row('A token for another server is refused')).toContainText('Failed');
  await expect(row('A token for another server is refused')).toContainText('“aud” must be');
  await examine(page, 'server-check');
});

test('its callers are listed, and a scope that one holds is removed only when that is confirmed', async () => {
  await server.createCredential('writer', '--mcp-server', resource, '--scope', 'docs:write');
  await page.goto(docs);
  await page.getByRole('navigation', { name: 'Views of the MCP server' }).getByRole('link', { name: /^Access/ }).click();
  await expect(page.getByRole('heading', { name: 'Access', exact: true })).toBeVisible();
  await expect(page.getByRole('rowheader', { name: 'writer' })).toBeVisible();
  await page.getByRole('link', { name: /^docs:read/ }).click();
  await expect(page.getByText('No credential gets this scope.')).toBeVisible();
  await examine(page, 'server-access');
  await page.getByRole('link', { name: 'Edit' }).click();
  await page.getByRole('textbox', { name: 'Scopes' }).fill('docs:read Read the documents.');
  await press(page, 'Save changes');
  await expect(page.getByRole('alert')).toContainText('docs:write is in use');
  await expect(page.getByText('1 credential has no other scope of this server')).toBeVisible();
  await examine(page, 'server-edit');
  await page.getByRole('checkbox', { name: 'Remove the scope' }).check();
  await press(page, 'Save changes');
  await expect(page.getByRole('status').filter({ hasText: 'Changes saved.' })).toBeVisible();
});

test('closing a server says first who loses access, and a box confirms it', async () => {
  await page.goto(`${docs}/access`);
  await page.getByRole('radio', { name: 'Only these teams' }).check();
  await press(page, 'Save access');
  await expect(page.getByRole('alert')).toContainText('would lose access');
  await expect(page.getByRole('link', { name: '1 credential', exact: true })).toBeVisible();
  await examine(page, 'server-closing');
  await page.getByRole('checkbox', { name: 'Close it to them' }).check();
  await press(page, 'Save access');
  await expect(page.getByRole('status').filter({ hasText: 'Access saved.' })).toBeVisible();
  await page.goto(`${docs}?view=access`);
  const row = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: 'writer' }) });
  await expect(row).toContainText('No access');
  await page.goto(`${docs}/access`);
  await page.getByRole('radio', { name: 'All teams' }).check();
  await press(page, 'Save access');
  await expect(page.getByRole('status').filter({ hasText: 'Access saved.' })).toBeVisible();
});

test('what may call a server is disabled where it is listed', async () => {
  await page.goto(`${docs}?view=access`);
  const [all, writer] = ['Select all', 'Select writer'].map((name) => page.getByRole('checkbox', { name }));
  const bar = page.getByRole('group', { name: 'Selected credentials' });
  if (test.info().project.use.javaScriptEnabled === false) {
    await expect(all).toBeHidden();
    await writer.check();
  } else {
    await all.check();
    await expect(writer).toBeChecked();
    await expect(bar).toContainText('1 selected');
    await all.uncheck();
    await expect(writer).not.toBeChecked();
    await all.check();
  }
  await expect(bar.getByRole('button', { name: 'Replace or remove server' })).toBeVisible();
  await examine(page, 'server-selected');
  await bar.getByRole('button', { name: 'Disable' }).click();
  await expect(page.getByRole('heading', { name: 'Disable 1 credential' })).toBeVisible();
  await page.getByRole('main').getByRole('button', { name: /^Disable/ }).click();
  await expect(page.getByText('1 credential disabled.').first()).toBeVisible();
  await page.goto(`${docs}?view=access`);
  const row = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: 'writer' }) });
  await expect(row).toContainText('Disabled');
});

test('connected apps are searched by name and server', async () => {
  await page.goto(`${server.url}/apps?q=nothing`);
  await expect(page.getByText('No connected app matches.')).toBeVisible();
  await page.getByRole('combobox', { name: 'MCP server' }).selectOption({ label: 'Docs' });
  await page.getByRole('button', { name: 'Apply' }).click();
  await expect(page).toHaveURL(new RegExp(`q=nothing&server=${docs.split('/').pop()}$`));
  await examine(page, 'apps-search');
});

test('an archived server leaves the list, comes back, and is not removed while a credential has it', async () => {
  await page.goto(docs);
  await page.getByRole('link', { name: 'Archive' }).click();
  await expect(page.getByText('1 has only this MCP server')).toBeVisible();
  await examine(page, 'server-archive');
  await press(page, 'Archive MCP server');
  await expect(page.getByText('Archived since')).toBeVisible();
  await page.goto(`${server.url}/servers`);
  await expect(page.getByRole('rowheader', { name: 'Docs' })).toHaveCount(0);
  await page.getByRole('link', { name: /^Archived/ }).click();
  await expect(page.getByRole('rowheader', { name: 'Docs' })).toBeVisible();
  await examine(page, 'servers-archived');
  await page.goto(docs);
  await page.getByRole('link', { name: 'Remove' }).click();
  await expect(page.getByRole('heading', { name: 'cannot be removed yet' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Remove MCP server' })).toHaveCount(0);
  await examine(page, 'server-remove');
  await page.goto(docs);
  await page.getByRole('link', { name: 'Unarchive' }).click();
  await press(page, 'Unarchive MCP server');
  await expect(page.getByText('The server gets tokens again.')).toBeVisible();
});
