import { expect, test, type CDPSession, type Page } from '@playwright/test';
import { createAdministrator, examine, javaScript, person, press, signIn, watch } from './browser';
import { Countersign } from './countersign';

/** Passkeys, with an authenticator that Chromium simulates. */
test.describe.configure({ mode: 'serial' });

let server: Countersign;
let page: Page;
let devices: CDPSession;
let device = '';
let problems: string[];

test.beforeAll(async ({ browser }) => {
  server = await Countersign.start();
  const context = await browser.newContext({ javaScriptEnabled: javaScript() });
  problems = watch(context, server);
  page = await context.newPage();
  await createAdministrator(page, server);
  devices = await context.newCDPSession(page);
  await devices.send('WebAuthn.enable');
  const { authenticatorId } = await devices.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  device = authenticatorId;
});

test.afterEach(() => expect(problems).toEqual([]));

test.afterAll(async () => {
  await page?.context().close();
  expect(await server.traces()).toEqual([]);
  await server.stop();
  await server.remove();
});

const open = (path: string) => page.goto(server.url + path);
const verifies = (isUserVerified: boolean) =>
  devices.send('WebAuthn.setUserVerified', { authenticatorId: device, isUserVerified });

async function signOut() {
  await press(page, 'Sign out');
  await expect(page).toHaveURL(`${server.url}/login`);
}

test('a passkey is added', { tag: '@scripts' }, async () => {
  await open('/account');
  await press(page, 'Add a passkey');
  await examine(page, 'passkey-new');
  await press(page, 'Add a passkey');
  await expect(page.getByRole('textbox', { name: 'Name' })).toBeFocused();
  await page.getByRole('textbox', { name: 'Name' }).fill('work laptop');
  await verifies(false);
  await press(page, 'Add a passkey');
  await expect(page.getByText('Your browser gave no passkey. Try again.')).toBeVisible();
  await verifies(true);
  await press(page, 'Add a passkey');
  await expect(page.getByRole('heading', { name: 'Save your recovery codes' })).toBeVisible();
  await press(page, 'I have stored these codes');
  await expect(page.getByRole('rowheader', { name: 'work laptop' })).toBeVisible();
  await examine(page, 'account-with-passkey');
  await press(page, 'Add a passkey');
  await page.getByRole('textbox', { name: 'Name' }).fill('the same');
  await press(page, 'Add a passkey');
  await expect(page.getByText('This device has a passkey of yours already.')).toBeVisible();
});

test('a passkey alone signs in, and leads to the page that was asked for', { tag: '@scripts' }, async () => {
  await signOut();
  await open('/activity?actor=Ada');
  await examine(page, 'login-with-passkey');
  await press(page, 'Use a passkey');
  await expect(page).toHaveURL(`${server.url}/activity?actor=Ada`);
  await expect(page.getByRole('row', { name: new RegExp(`Passkey added ${person.name}`) })).toBeVisible();
});

test('a passkey is the second step after a password', { tag: '@scripts' }, async () => {
  await signOut();
  await signIn(page, server);
  await expect(page.getByRole('heading', { name: 'Second factor' })).toBeVisible();
  await examine(page, 'second-step-passkey');
  await press(page, 'Use a passkey');
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible();
});

test('a device that lost its passkey gets a clear answer', { tag: '@scripts' }, async () => {
  await signOut();
  const { credentials } = await devices.send('WebAuthn.getCredentials', { authenticatorId: device });
  await devices.send('WebAuthn.clearCredentials', { authenticatorId: device });
  await press(page, 'Use a passkey');
  await expect(page.getByText('Your browser gave no passkey. Try again.')).toBeVisible();
  await devices.send('WebAuthn.addCredential', { authenticatorId: device, credential: credentials[0] });
  await press(page, 'Use a passkey');
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible();
});

test('a removed passkey does not sign in', { tag: '@scripts' }, async () => {
  await open('/account');
  await press(page, 'Remove passkey work laptop');
  await examine(page, 'passkey-remove');
  await press(page, 'Remove passkey');
  await expect(page.getByText('Passkey removed.')).toBeVisible();
  await signOut();
  await press(page, 'Use a passkey');
  await expect(page.getByRole('alert')).toContainText('That passkey is not registered here');
  await examine(page, 'login-passkey-refused');
  await signIn(page, server);
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible();
});
