import { spawn, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test, type Page } from '@playwright/test';
import { createAdministrator, examine, person, press, watch } from './browser';
import { Countersign } from './countersign';

/** E-mails arrive at a real mail server, and lead back into the product. */
test.describe.configure({ mode: 'serial' });

type Mail = { to: string[]; from: string; subject: string; text: string };

let mailServer: ChildProcess;
const mails: Mail[] = [];
let server: Countersign;
let page: Page;
let problems: string[];

test.beforeAll(async ({ browser }) => {
  mailServer = spawn(resolve('.venv/bin/python'), ['clients/mail/server.py'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: mailServer.stdout! });
  const port = await new Promise<string>((resolved) => lines.once('line', resolved));
  lines.on('line', (line) => mails.push(JSON.parse(line)));
  server = await Countersign.startIn({
    COUNTERSIGN_SMTP_URL: `smtp://127.0.0.1:${port}`,
    COUNTERSIGN_MAIL_FROM: 'Countersign <auth@example.com>',
  });
  const context = await browser.newContext();
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
  mailServer.kill();
});

const open = (path: string) => page.goto(server.url + path);

/** Waits for the e-mail with this subject. */
async function mail(subject: string): Promise<Mail> {
  await expect.poll(() => mails.map((one) => one.subject), { timeout: 20_000 }).toContain(subject);
  return mails.splice(
    mails.findIndex((one) => one.subject === subject),
    1,
  )[0];
}

const linkIn = (text: string) => /http\S+\?token=\S+/.exec(text)![0];

test('an invitation is sent', async () => {
  await open('/people/invite');
  await page.getByRole('textbox', { name: 'Email' }).fill('grace@example.com');
  await page.getByLabel('Team').selectOption({ label: 'Default' });
  await press(page, 'Create invitation');
  await expect(page.getByText('The link was sent to grace@example.com.')).toBeVisible();
  const sent = await mail('Invitation to Countersign');
  expect([sent.to, sent.from]).toEqual([['grace@example.com'], 'Countersign <auth@example.com>']);
  server.secret('invitation', new URL(linkIn(sent.text)).searchParams.get('token')!);
});

test('a leak is told with the way to its record', async () => {
  const leaked = await server.createCredential('nächtlicher Lauf');
  await open('/leaks');
  await page.getByRole('textbox', { name: 'Leaked text' }).fill(leaked.client_secret);
  await press(page, 'Find credential');
  const told = await mail('Leak: Secret of nächtlicher Lauf leaked');
  expect(told.text).toContain(`Open the incident: ${server.url}/incidents/1`);
  expect(told.text).not.toContain(leaked.client_secret);
  await open('/account');
  await page.getByRole('checkbox', { name: /^Leaks/ }).uncheck();
  await press(page, 'Save emails');
  await expect(page.getByText('Emails chosen.')).toBeVisible();
  await expect(page.getByRole('checkbox', { name: /^Leaks/ })).not.toBeChecked();
  await examine(page, 'account-with-mail');
  await open('/settings/about');
  await expect(page.getByText(/Last sent:/)).toBeVisible();
});

test('a person who forgot the password sets another one', async ({ browser }) => {
  const context = await browser.newContext();
  const stranger = await context.newPage();
  await stranger.goto(`${server.url}/login`);
  await press(stranger, 'Forgot your password?');
  await examine(stranger, 'password-forgot');
  await stranger.getByRole('textbox', { name: 'Email' }).fill(person.email);
  await press(stranger, 'Send link');
  await expect(stranger.getByRole('heading', { name: 'Look into your mailbox' })).toBeVisible();
  await examine(stranger, 'password-asked');
  const link = linkIn((await mail('Set a new password')).text);
  server.secret('password link', new URL(link).searchParams.get('token')!);
  await stranger.goto(link);
  await expect(stranger.getByText('You asked for this link by email.')).toBeVisible();
  const password = 'a much longer phrase than before';
  await stranger.getByLabel('New password', { exact: true }).fill(password);
  server.secret('new password', password);
  await press(stranger, 'Set password');
  await press(stranger, 'Sign in');
  await stranger.getByRole('textbox', { name: 'Email' }).fill(person.email);
  await stranger.getByLabel('Password', { exact: true }).fill(password);
  await stranger.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(stranger.getByRole('heading', { name: 'Overview' })).toBeVisible();
  for (const cookie of await context.cookies()) if (cookie.value) server.secret(`cookie ${cookie.name}`, cookie.value);
  await context.close();
});
