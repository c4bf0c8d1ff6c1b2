import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test as base, type Page } from '@playwright/test';
import { build } from 'esbuild';
import { person } from './browser';
import { Countersign } from './countersign';
import { freePort, inspector, stop } from './programs';

/** Unmodified clients with a window in a browser, on another site than Countersign, used as a person uses them. */
let server: Countersign;
let app: Server;
/** The origin of the page that connects with mcp-use. */
let origin: string;

const test = base.extend({
  context: async ({ context }, use) => {
    // These apps load fonts and pictures from other hosts, and report their use.
    await context.route(({ hostname }) => !['localhost', '127.0.0.1'].includes(hostname), (route) => route.abort());
    context.on('request', (request) => {
      const code = new URL(request.url()).searchParams.get('code');
      if (code) server.secret('code', code);
    });
    await use(context);
  },
});

test.beforeAll(async () => {
  const script = await build({
    entryPoints: ['clients/mcp-use-typescript/page.mjs'],
    bundle: true,
    format: 'esm',
    write: false,
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  const html = '<!doctype html><title>App</title><body><script type="module" src="/page.js"></script>';
  app = createServer((request, response) => {
    const asksScript = request.url === '/page.js';
    response.setHeader('Content-Type', asksScript ? 'text/javascript' : 'text/html');
    response.end(asksScript ? script.outputFiles[0].contents : html);
  }).listen(0, '127.0.0.1');
  await once(app, 'listening');
  origin = `http://127.0.0.1:${(app.address() as AddressInfo).port}`;
  server = await Countersign.start('--allowed-origins', origin);
  await server.createAdministrator(person);
});

test.afterAll(async () => {
  app.close();
  app.closeAllConnections();
  const places = await server.traces();
  await server.stop();
  expect(places.concat(await server.traces())).toEqual([]);
  await server.remove();
});

async function signIn(page: Page) {
  await page.getByLabel('Email').fill(person.email);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Answers the question whether `app` may act for the person. */
async function answer(page: Page, app: string, button: 'Allow' | 'Deny') {
  await expect(page.getByRole('heading', { name: 'Allow access' })).toBeVisible();
  await expect(page.getByText(app)).toBeVisible();
  await page.getByRole('button', { name: button }).click();
}

/** Opens the page that connects with mcp-use, and presses its button. */
async function connect(page: Page, how: Record<string, string> = {}) {
  await page.goto(`${origin}/?${new URLSearchParams({ server: `${server.url}/mcp`, ...how })}`);
  await expect(page.getByRole('status')).toHaveText('pending_auth');
  await page.getByRole('button', { name: 'Connect' }).click();
}

async function connectInPopUp(page: Page): Promise<Page> {
  const opened = page.waitForEvent('popup');
  await connect(page);
  const popUp = await opened;
  await expect(popUp.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  return popUp;
}

/** Checks that the page lists the tools, and that the tool `whoami` told it the person's name. */
async function isConnected(page: Page) {
  await expect(page.getByRole('status')).toHaveText('ready');
  await expect(page.getByRole('listitem')).toHaveText(['whoami']);
  await expect(page.getByText(`"name": "${person.name}"`)).toBeVisible();
  const tokens = await page.evaluate(() => Object.entries(localStorage).find(([key]) => key.endsWith('_tokens'))![1]);
  const { access_token, refresh_token } = JSON.parse(tokens);
  server.secret('access token', access_token.split('.')[2]);
  server.secret('refresh token', refresh_token);
}

test('mcp-use connects in a pop-up window', { tag: '@scripts' }, async ({ page }) => {
  const popUp = await connectInPopUp(page);
  await signIn(popUp);
  await answer(popUp, 'App in a browser', 'Allow');
  await isConnected(page);
  await expect.poll(() => popUp.isClosed()).toBe(true);
});

test('mcp-use connects when the person took two minutes to sign in', { tag: '@scripts' }, async ({ page, context }) => {
  await context.clock.install();
  const popUp = await connectInPopUp(page);
  // The app cannot look into its pop-up window, and stops waiting for it within this time. It connects all the same.
  await context.clock.fastForward('01:00');
  await context.clock.fastForward('01:00');
  await signIn(popUp);
  await answer(popUp, 'App in a browser', 'Allow');
  await isConnected(page);
});

test('mcp-use connects in the same window', { tag: '@scripts' }, async ({ page }) => {
  await connect(page, { redirect: '' });
  await signIn(page);
  await answer(page, 'App in a browser', 'Allow');
  await isConnected(page);
});

test('a connected app is found by its name, and loses access on the page of its server', { tag: '@scripts' }, async ({ page }) => {
  await page.goto(`${server.url}/apps`);
  await signIn(page);
  await page.getByRole('searchbox', { name: 'Search' }).last().fill('in a browser');
  await page.getByRole('button', { name: 'Apply' }).click();
  const row = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: 'App in a browser' }) });
  await expect(row.first()).toContainText('Built-in server');
  await page.goto(`${server.url}/servers`);
  await page.getByRole('link', { name: 'Built-in server' }).click();
  await page.getByRole('navigation', { name: 'Views of the MCP server' }).getByRole('link', { name: /^Access/ }).click();
  await page.getByRole('navigation', { name: 'Kinds' }).getByRole('link', { name: /^Connected apps/ }).click();
  await expect(row.first()).toContainText('End access');
  const before = await row.count();
  await row.first().getByText('End access', { exact: false }).first().click();
  await row.first().getByRole('button', { name: /^End access now/ }).click();
  await expect(page.getByRole('status').filter({ hasText: 'Access ended.' })).toBeVisible();
  await expect(row).toHaveCount(before - 1);
});

test('mcp-use hears that the person said no', { tag: '@scripts' }, async ({ page }) => {
  const popUp = await connectInPopUp(page);
  await signIn(popUp);
  await answer(popUp, 'App in a browser', 'Deny');
  await expect(page.getByRole('status')).toHaveText('failed');
  await expect(page.getByRole('alert')).toContainText('access_denied');
  await expect(page.getByRole('listitem')).toHaveCount(0);
});

test.describe('MCP Inspector', () => {
  let home: string;
  let program: ChildProcess;
  let address = '';

  test.beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'inspector-'));
    const [command, ...options] = inspector('--web', '--transport', 'http', '--server-url', `${server.url}/mcp`);
    program = spawn(command, options, {
      env: {
        PATH: process.env.PATH,
        HOME: home,
        CLIENT_PORT: `${await freePort()}`,
        MCP_SANDBOX_PORT: '0',
        MCP_APP_ORIGIN_PORT: '0',
        MCP_AUTO_OPEN_ENABLED: 'false',
        MCP_INSPECTOR_SECRET_STORE: 'memory',
      },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    for await (const line of createInterface({ input: program.stdout! })) {
      address = /http\S+TOKEN=\S+/.exec(line)?.[0] ?? '';
      if (address) break;
    }
    expect(address).not.toBe('');
    program.stdout!.resume();
  });

  test.afterAll(async () => {
    await stop(program, 'SIGKILL');
    await rm(home, { recursive: true });
  });

  test('hears that the person said no, and connects when they allow', { tag: '@scripts' }, async ({ page }) => {
    await page.goto(address);
    // The Inspector renders its window again when it has read its configuration; then it shows this message.
    await expect(page.getByText('Read-only session')).toBeVisible();
    await page.locator('label').filter({ has: page.getByRole('switch', { name: /^Connect/ }) }).click();
    await signIn(page);
    await answer(page, 'MCP Inspector', 'Deny');
    await expect(page.getByText('Failed', { exact: true })).toBeVisible();
    const notice = page.getByRole('alert').filter({ hasText: 'access_denied' });
    await notice.getByRole('button', { name: 'Re-authenticate' }).click();
    await answer(page, 'MCP Inspector', 'Allow');
    await expect(page.getByText('Authorization complete')).toBeVisible();
    await page.getByText('Tools', { exact: true }).click();
    await page.getByRole('button', { name: 'whoami' }).click();
    await page.getByRole('button', { name: 'Execute' }).click();
    await expect(page.getByRole('main')).toContainText(person.name);
  });
});
