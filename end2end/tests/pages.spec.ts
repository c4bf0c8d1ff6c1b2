import { expect, test } from '@playwright/test';
import { createAdministrator, examine, generate, person, press, signIn, watch } from './browser';
import { Countersign } from './countersign';

test('every page, in each of its states', async ({ page, context }) => {
  // It judges some sixty states.
  test.slow();
  const server = await Countersign.start();
  const problems = watch(context, server);
  const open = (path: string) => page.goto(server.url + path);

  await test.step('before anyone has signed in', async () => {
    await page.goto(`${server.url}/setup?token=wrong`);
    await examine(page, 'setup-refused');
    await page.goto(server.setupLink);
    await examine(page, 'setup');
    await page.getByLabel('Name', { exact: true }).fill(person.name);
    await page.getByLabel('Email').fill(person.email);
    await page.getByLabel('Password').fill('too short');
    await page.getByRole('button', { name: 'Create administrator' }).click();
    await expect(page.getByRole('alert')).toBeVisible();
    await examine(page, 'setup-mistake');
  });

  await test.step('a new instance', async () => {
    await createAdministrator(page, server);
    await examine(page, 'new');
    await open('/');
    await examine(page, 'overview-empty');
    await open('/credentials');
    await examine(page, 'credentials-empty');
  });

  await test.step('generating', async () => {
    await open('/credentials/new');
    await page.getByText('More options').click();
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('mistake');
    await page.getByLabel('Allowed IP ranges').fill('10.0.0.0/99');
    await examine(page, 'new-options');
    await page.getByRole('button', { name: 'Generate credentials' }).click();
    await expect(page.getByRole('alert')).toBeVisible();
    await examine(page, 'new-mistake');
    await generate(page, server, 'nightly-index');
    await examine(page, 'reveal');
    await page.reload();
    await examine(page, 'reveal-again');
  });

  await test.step('a credential through its life', async () => {
    const { client_id, client_secret } = await server.createCredential(
      'support-desk',
      '--description', 'Reads tickets <script>alert("x")</script> & answers',
      '--scope', 'mcp:read', '--scope', 'credentials:read', '--allow-ip', '127.0.0.0/8', '--allow-ip', '::1/128',
    );
    const path = `/credentials/${client_id}`;
    await open(path);
    await examine(page, 'credential-unverified');
    await server.accessToken(client_id, client_secret);
    await server.exchange(client_id, 'css_wrong');
    await open(path);
    await examine(page, 'credential-in-use');
    await press(page, 'Disable');
    await examine(page, 'disable');
    await press(page, 'Disable credential');
    await expect(page.getByRole('main').getByText('Disabled', { exact: true }).first()).toBeVisible();
    await examine(page, 'credential-disabled');
    await page.getByRole('link', { name: 'Edit' }).click();
    await examine(page, 'edit');
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('   ');
    await page.getByRole('button', { name: 'Save changes' }).click();
    await expect(page.getByRole('alert')).toBeVisible();
    await examine(page, 'edit-mistake');
    await open(path);
    await press(page, 'Revoke');
    await examine(page, 'revoke');
    await page.getByRole('textbox', { name: 'Reason' }).fill('Found in a public log');
    await page.getByRole('button', { name: 'Revoke credential' }).click();
    await expect(page.getByRole('main').getByText('Revoked', { exact: true }).first()).toBeVisible();
    await examine(page, 'credential-revoked');
  });

  await test.step('lists with much in them', async () => {
    await server.createCredential('an-unbroken-name-as-long-as-names-may-be-'.padEnd(80, 'x'));
    await server.createCredential(`<img src=x onerror=alert(1)>"'&amp; ünïcödé 名前`, '--expires-in', '7d');
    for (let n = 0; n < 55; n++) await server.createCredential(`worker-${n}`, '--expires-in', n % 2 ? '90d' : 'never');
    await open('/credentials');
    await expect(page.getByRole('rowheader', { name: 'worker-54' })).toBeVisible();
    expect((await (await page.request.get(page.url())).body()).length).toBeLessThan(60_000);
    await examine(page, 'credentials');
    await page.getByRole('link', { name: /next/i }).click();
    await expect(page.getByRole('rowheader', { name: 'nightly-index' })).toBeVisible();
    await examine(page, 'credentials-next');
    await page.getByRole('searchbox', { name: 'Search' }).fill('<b>nothing is called this</b>');
    await page.getByRole('searchbox', { name: 'Search' }).press('Enter');
    await expect(page).toHaveURL(/nothing/);
    await expect(page.getByRole('rowheader')).toHaveCount(0);
    await examine(page, 'credentials-none');
  });

  await test.step('every page that a link leads to', async () => {
    const seen = new Set<string>();
    const waiting = ['/'];
    for (let path = waiting.shift(); path; path = waiting.shift()) {
      // One page of a kind is enough. Queries are left out: they are variants of one page.
      const kind = path.replace(/\/(csc|usr|srv)_\w+/, '/$1');
      if (seen.has(kind)) continue;
      seen.add(kind);
      const response = await open(path);
      expect(response!.status(), path).toBe(200);
      await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
      await expect(page).toHaveTitle(/\w/);
      await examine(page, `page${kind.replaceAll('/', '-')}`);
      const links = await page.locator('a[href]').evaluateAll((all) =>
        (all as HTMLAnchorElement[])
          // Pages, but not downloads nor the documents for programs.
          .filter((a) => a.origin === location.origin && !a.download && !a.pathname.startsWith('/mcp/'))
          .map((a) => a.pathname),
      );
      waiting.push(...links);
    }
    expect([...seen]).toEqual(
      expect.arrayContaining([
        '/', '/credentials', '/credentials/new', '/credentials/csc', '/servers/srv', '/activity', '/account',
      ]),
    );
  });

  await test.step('what is not there', async () => {
    for (const path of ['/nothing', '/credentials/csc_0000000000000000000000']) {
      expect((await open(path))!.status()).toBe(404);
      await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
      await examine(page, `missing${path.startsWith('/credentials') ? '-credential' : ''}`);
    }
  });

  await test.step('where programs send people', async () => {
    expect((await open('/mcp/oauth/authorize?response_type=code&client_id=x'))!.status()).toBe(400);
    await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
    await examine(page, 'authorize');
  });

  await test.step('signing in', async () => {
    await page.context().clearCookies();
    await open('/login');
    await examine(page, 'login');
    await signIn(page, server, 'not the password at all');
    await expect(page.getByRole('alert')).toBeVisible();
    await examine(page, 'login-refused');
  });

  expect(problems).toEqual([]);
  await server.stop();
  await server.remove();
});

test('the picture for the README', { tag: '@scripts' }, async ({ browser }) => {
  const shown = await Countersign.start();
  const context = await browser.newContext({ viewport: { width: 1280, height: 640 }, colorScheme: 'light' });
  const list = await context.newPage();
  await createAdministrator(list, shown);
  for (const name of ['nightly-index', 'release-pipeline', 'support-desk', 'data-sync', 'docs-search', 'old-crawler']) {
    const { client_id, client_secret } = await shown.createCredential(
      name, '--expires-in', name === 'release-pipeline' ? '7d' : '90d',
    );
    if (name !== 'data-sync') await shown.accessToken(client_id, client_secret);
    if (name === 'docs-search') await shown.command(['credential', 'disable', client_id]);
    if (name === 'old-crawler') await shown.command(['credential', 'revoke', client_id, '--reason', 'replaced']);
  }
  await list.goto(`${shown.url}/credentials`);
  await expect(list.getByRole('rowheader')).toHaveCount(6);
  await list.screenshot({ path: 'screenshots/readme.png' });
  await context.close();
  await shown.stop();
  await shown.remove();
});
