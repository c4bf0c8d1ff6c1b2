import { createHmac } from 'node:crypto';
import { expect, test, type Browser, type Page } from '@playwright/test';
import { createAdministrator, examine, javaScript, person, press, rememberCookies, signIn, watch } from './browser';
import { copyInEachWay } from './copying';
import { Countersign } from './countersign';
import { program } from './documents';

/** A second factor is set up, used, replaced by a recovery code, and removed. */
test.describe.configure({ mode: 'serial' });

let server: Countersign;
let page: Page;
let secret = '';
let codes: string[] = [];
/** The latest time step whose code was used. */
let used = 0;
const problems: string[][] = [];

async function visitor(browser: Browser): Promise<Page> {
  const context = await browser.newContext({ javaScriptEnabled: javaScript() });
  problems.push(watch(context, server));
  return context.newPage();
}

test.beforeAll(async ({ browser }) => {
  server = await Countersign.start();
  page = await visitor(browser);
  await createAdministrator(page, server);
});

test.afterEach(() => expect(problems.flat()).toEqual([]));

test.afterAll(async () => {
  await page?.context().close();
  expect(await server.traces()).toEqual([]);
  await server.stop();
  await server.remove();
});

const open = (path: string) => page.goto(server.url + path);
const step = () => Math.floor(Date.now() / 30_000);

/** The code of a time step (RFC 6238). */
function codeOf(base32: string, counter: number): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...base32].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g)!.map((byte) => parseInt(byte, 2)));
  const message = Buffer.alloc(8);
  message.writeBigUInt64BE(BigInt(counter));
  const tag = createHmac('sha1', key).update(message).digest();
  const number = tag.readUInt32BE(tag[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

/** An unused code: of this time step or of the next, which is accepted too. Waits for a later step if both are used. */
async function freshCode(): Promise<string> {
  await expect.poll(() => step() + 1, { timeout: 60_000 }).toBeGreaterThan(used);
  used = Math.max(used + 1, step());
  return codeOf(secret, used);
}

/** Six digits that are the code of no time step near this one. */
function wrongCode(): string {
  const near = [-2, -1, 0, 1, 2, 3].map((away) => codeOf(secret, step() + away));
  return ['000000', '111111', '222222', '333333', '444444', '555555', '666666'].find((code) => !near.includes(code))!;
}

async function fillCode(code: string) {
  await page.getByLabel('Code from your authenticator app').fill(code);
}

async function signOut() {
  await press(page, 'Sign out');
  await expect(page).toHaveURL(`${server.url}/login`);
}

async function readCodes(): Promise<string[]> {
  const region = page.getByRole('region', { name: 'Recovery codes', exact: true });
  const lines = (await region.textContent())!.trim().split('\n');
  expect(lines).toHaveLength(10);
  lines.forEach((line, number) => {
    server.secret(`recovery code ${number} ${line.slice(0, 3)}`, line);
    server.secret(`bare recovery code ${number} ${line.slice(0, 3)}`, line.replaceAll('-', ''));
  });
  return lines;
}

test('an authenticator app is set up', async () => {
  await open('/account');
  await expect(page.getByRole('heading', { name: 'Second factor' })).toBeVisible();
  await examine(page, 'account-without-factor');
  await press(page, 'Set up an authenticator app');
  await examine(page, 'authenticator-begin');
  await press(page, 'Show the QR code');
  await expect(page.getByRole('img', { name: 'QR code for your authenticator app' })).toBeVisible();
  const link = await page.getByRole('link', { name: 'Open in an app on this device' }).getAttribute('href');
  secret = new URL(link!).searchParams.get('secret')!;
  server.secret('secret of the app', secret);
  const shown = await page.getByRole('textbox', { name: 'Or type this secret' }).inputValue();
  expect(shown.replaceAll(' ', '')).toBe(secret);
  await examine(page, 'authenticator-scan');
  const typed = page.getByRole('textbox', { name: 'Or type this secret' });
  await copyInEachWay(page, 'Copy secret', typed, { guarded: false });
  await fillCode(wrongCode());
  await press(page, 'Turn on');
  await expect(page.getByRole('alert')).toContainText('This is not the code that the app shows now.');
  await examine(page, 'authenticator-mistake');
  await fillCode(await freshCode());
  await press(page, 'Turn on');
  await expect(page.getByRole('heading', { name: 'Save your recovery codes' })).toBeVisible();
  codes = await readCodes();
  await examine(page, 'recovery-codes');
  const region = page.getByRole('region', { name: 'Recovery codes', exact: true });
  await copyInEachWay(page, 'Copy recovery codes', region);
  await press(page, 'I have stored these codes');
  await expect(page.getByText('10 recovery codes are left.')).toBeVisible();
  await examine(page, 'account-with-factor');
});

test('signing in takes the password and a code, and leads to the page that was asked for', async () => {
  await signOut();
  await open('/credentials?q=nightly');
  await expect(page).toHaveURL(/\/login\?next=/);
  await page.getByLabel('Email').fill(person.email);
  await page.getByLabel('Password').fill(person.password);
  await press(page, 'Sign in');
  await expect(page.getByRole('heading', { name: 'Second factor' })).toBeVisible();
  await examine(page, 'second-step');
  await rememberCookies(page.context(), server);
  await fillCode(wrongCode());
  await press(page, 'Sign in');
  await expect(page.getByRole('alert')).toContainText('This code is wrong');
  await examine(page, 'second-step-mistake');
  await fillCode(await freshCode());
  await press(page, 'Sign in');
  await expect(page).toHaveURL(`${server.url}/credentials?q=nightly`);
  await rememberCookies(page.context(), server);
});

test('a recovery code stands in for the app', async () => {
  await signOut();
  await signIn(page, server);
  await press(page, 'Use a recovery code');
  await examine(page, 'second-step-recovery');
  await page.getByLabel('Recovery code').fill('not a code');
  await press(page, 'Sign in');
  await expect(page.getByRole('alert')).toContainText('not one of your unused recovery codes');
  await page.getByLabel('Recovery code').fill(codes[0].toLowerCase());
  await press(page, 'Sign in');
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible();
  await open('/account');
  await expect(page.getByText('9 recovery codes are left.')).toBeVisible();
  await press(page, 'Create new recovery codes');
  await examine(page, 'recovery-codes-again');
  await press(page, 'Create new recovery codes');
  await expect(page.getByRole('heading', { name: 'Save your new recovery codes' })).toBeVisible();
  expect(await readCodes()).not.toContain(codes[1]);
  await press(page, 'I have stored these codes');
});

test('what needs JavaScript says so', async () => {
  await open('/account/passkeys/new');
  const button = page.getByRole('button', { name: 'Add a passkey' });
  if (javaScript()) return expect(button).toBeVisible();
  // Found by its element, as Playwright finds no text in <noscript>.
  await expect(page.locator('noscript p')).toContainText('Adding a passkey needs JavaScript.');
  await expect(page.locator('noscript p')).toBeVisible();
  await expect(button).toHaveCount(0);
  await examine(page, 'passkey-new-without-scripts');
});

test('the activity names what happened', async () => {
  await open('/activity');
  for (const words of ['Second factor added', 'Recovery code used', 'Recovery codes replaced', 'Sign-in refused'])
    await expect(page.getByRole('row', { name: new RegExp(`${words} ${person.name}`) }).first()).toBeVisible();
});

test('the app is removed, and the password is enough again', async () => {
  await open('/account');
  await press(page, 'Remove authenticator app');
  await examine(page, 'authenticator-remove');
  await press(page, 'Remove authenticator app');
  await expect(page.getByText('Authenticator app removed.')).toBeVisible();
  await signOut();
  await signIn(page, server);
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible();
});

test('the app of a person who lost it is removed on the server', async () => {
  test.setTimeout(300_000);
  await open('/account');
  await press(page, 'Set up an authenticator app');
  await press(page, 'Show the QR code');
  const link = await page.getByRole('link', { name: 'Open in an app on this device' }).getAttribute('href');
  secret = new URL(link!).searchParams.get('secret')!;
  server.secret('secret of the second app', secret);
  used = 0;
  await fillCode(await freshCode());
  await press(page, 'Turn on');
  codes = await readCodes();
  const said = await server.shell(program('reset-second-factor'));
  expect(said).toContain('Removed the second factor');
  await open('/account');
  await expect(page).toHaveURL(/\/login/);
  await signIn(page, server);
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible();
});
