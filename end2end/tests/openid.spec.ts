import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { createAdministrator, examine, person, press, rememberCookies, watch } from './browser';
import { Countersign } from './countersign';
import { OpenIdProvider, clientId } from './openid-provider';

const button = 'Sign in with Example';

/** Signs in at the provider with this account. */
async function continueAs(page: Page, account: string) {
  await expect(page.getByRole('heading', { name: 'Somebody else’s login' })).toBeVisible();
  await page.getByLabel('Account').fill(account);
  await page.getByRole('button', { name: 'Continue' }).click();
}

test('a person connects an account elsewhere, signs in with it, and disconnects it', async ({ page, context }) => {
  const provider = await OpenIdProvider.listen();
  const folder = await mkdtemp(join(tmpdir(), 'provider-'));
  const secretFile = join(folder, 'secret');
  await writeFile(secretFile, `${provider.clientSecret}\n`);
  const server = await Countersign.start(
    ...['--openid-issuer', provider.issuer, '--openid-client-id', clientId],
    ...['--openid-client-secret-file', secretFile, '--openid-name', 'Example'],
  );
  provider.serve(`${server.url}/login/openid/return`);
  server.secret('client secret', provider.clientSecret);
  server.secret('basic header', btoa(`${clientId}:${provider.clientSecret}`));
  const problems = watch(context, server);
  let returns = 0;
  page.on('request', (request) => {
    const { pathname, searchParams } = new URL(request.url());
    if (pathname !== '/login/openid/return') return;
    returns += 1;
    for (const name of ['code', 'state'])
      if (searchParams.has(name)) server.secret(`${name} of return ${returns}`, searchParams.get(name)!);
  });
  const forgetProvider = () => context.clearCookies({ domain: '127.0.0.1' });

  await test.step('connects', async () => {
    await createAdministrator(page, server);
    await page.goto(`${server.url}/account`);
    await expect(page.getByRole('heading', { name: button })).toBeVisible();
    await examine(page, 'account-openid');
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await continueAs(page, 'ada');
    await expect(page).toHaveURL(`${server.url}/account?done=connected`);
    await expect(page.getByText('OpenID account connected.')).toBeVisible();
    await expect(page.getByText('ada@example.com at Example has been connected since')).toBeVisible();
    await examine(page, 'account-openid-connected');
  });

  await test.step('signs in with it', async () => {
    await press(page, 'Sign out');
    await expect(page.getByRole('button', { name: button })).toBeVisible();
    await examine(page, 'sign-in-openid');
    // The provider has a session in this browser, and asks nothing.
    await page.getByRole('button', { name: button }).click();
    await expect(page).toHaveURL(`${server.url}/`);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    await rememberCookies(context, server);
    await page.goto(`${server.url}/credentials/new`);
    await expect(page.getByLabel('Your password')).toBeVisible();
  });

  await test.step('is led on to the request of a client', async () => {
    await press(page, 'Sign out');
    const registration = await fetch(`${server.url}/mcp/oauth/register`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({
        client_name: 'Desk assistant',
        redirect_uris: ['http://localhost:8085/callback'],
        token_endpoint_auth_method: 'none',
      }),
    });
    const { client_id } = await registration.json();
    const query = new URLSearchParams({
      response_type: 'code',
      client_id,
      redirect_uri: 'http://localhost:8085/callback',
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
      state: 'state of the client',
      resource: `${server.url}/mcp`,
      scope: 'mcp:read',
    });
    await page.goto(`${server.url}/mcp/oauth/authorize?${query}`);
    await page.getByRole('button', { name: button }).click();
    await expect(page.getByRole('heading', { name: 'Allow access' })).toBeVisible();
    await expect(page.getByText('Desk assistant')).toBeVisible();
  });

  await test.step('cancels at the provider', async () => {
    await page.goto(`${server.url}/account`);
    await press(page, 'Sign out');
    await forgetProvider();
    await page.getByRole('button', { name: button }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await expect(page.getByRole('heading', { name: 'Sign-in cancelled' })).toBeVisible();
    await expect(page.getByText('Call 555')).toHaveCount(0);
    await examine(page, 'openid-cancelled');
  });

  await test.step('is told that no person has connected the account', async () => {
    await page.getByRole('link', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: button }).click();
    await continueAs(page, 'stranger');
    await expect(page.getByRole('heading', { name: 'No account is connected' })).toBeVisible();
    await examine(page, 'openid-not-connected');
    await forgetProvider();
  });

  await test.step('cannot finish the same attempt a second time', async () => {
    await page.reload();
    await expect(page.getByRole('heading', { name: 'This sign-in cannot be finished here' })).toBeVisible();
    await examine(page, 'openid-used');
  });

  await test.step('disconnects', async () => {
    await page.getByRole('link', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: button }).click();
    await continueAs(page, 'ada');
    await expect(page).toHaveURL(`${server.url}/`);
    await page.goto(`${server.url}/account`);
    await page.getByLabel('Your password').fill('not the password at all');
    await page.getByRole('button', { name: 'Disconnect' }).click();
    await expect(page.getByRole('alert')).toContainText('This is not your password');
    await examine(page, 'account-openid-refused');
    await page.getByLabel('Your password').fill(person.password);
    await page.getByRole('button', { name: 'Disconnect' }).click();
    await expect(page.getByText('OpenID account disconnected.')).toBeVisible();
    await press(page, 'Sign out');
    await page.getByRole('button', { name: button }).click();
    await expect(page.getByRole('heading', { name: 'No account is connected' })).toBeVisible();
  });

  await test.step('still has the password', async () => {
    await page.getByRole('link', { name: 'Sign in' }).click();
    await page.getByLabel('Email').fill(person.email);
    await page.getByLabel('Password').fill(person.password);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await expect(page).toHaveURL(`${server.url}/`);
  });

  expect(problems.filter((problem) => !problem.startsWith(`asked ${provider.issuer}/`))).toEqual([]);
  provider.close();
  expect(await server.traces()).toEqual([]);
  await server.stop();
  await server.remove();
  await rm(folder, { recursive: true });
});
