import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect, test, type Page } from '@playwright/test';
import { createAdministrator, examine, generate, javaScript, openUntil, press, watch } from './browser';
import { isGuarded } from './copying';
import { Countersign } from './countersign';

/** Secrets and keys are replaced: in time, and after a leak. */
test.describe.configure({ mode: 'serial' });

let server: Countersign;
let page: Page;
let problems: string[];

test.beforeAll(async ({ browser }) => {
  server = await Countersign.start();
  const context = await browser.newContext({ acceptDownloads: true });
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
});

const open = (path: string) => page.goto(server.url + path);
const works = async (id: string, secret: string) => (await server.exchange(id, secret)).status === 200;

async function rotate(id: string, overlap: string): Promise<string> {
  await open(`/credentials/${id}`);
  await press(page, 'Rotate secret');
  await page.getByLabel('Overlap').selectOption({ label: overlap });
  await page.getByRole('button', { name: 'Rotate secret' }).click();
  await expect(page.getByRole('heading', { name: 'Save your new client secret' })).toBeVisible();
  const secret = await page.getByRole('textbox', { name: 'Client secret' }).inputValue();
  server.secret(`new secret of ${id}`, secret);
  return secret;
}

test('a secret is rotated while the program goes on', async () => {
  const old = await generate(page, server, 'nightly-index');
  expect(await works(old.id, old.secret)).toBe(true);
  await open(`/credentials/${old.id}/rotate`);
  await page.getByLabel('Overlap').selectOption({ label: 'Until a date' });
  await page.getByRole('button', { name: 'Rotate secret' }).click();
  await expect(page.getByRole('alert')).toContainText('Choose the day');
  await examine(page, 'rotate-mistake');

  const secret = await rotate(old.id, '24 hours');
  await examine(page, 'rotate-reveal');
  await page.reload();
  await expect(page.getByRole('heading', { name: 'Already rotated' })).toBeVisible();
  await examine(page, 'rotate-again');
  expect(await works(old.id, old.secret)).toBe(true);

  await open(`/credentials/${old.id}`);
  await expect(page.getByText('Rotation in progress.')).toBeVisible();
  await examine(page, 'credential-rotating');
  await open('/');
  await page.getByRole('link', { name: /1\s*rotation in progress/ }).click();
  await expect(page.getByRole('rowheader', { name: 'nightly-index' })).toBeVisible();

  await open(`/credentials/${old.id}/rotate`);
  await expect(page.getByText('The new secret or key was not used yet.')).toBeVisible();
  expect(await works(old.id, secret)).toBe(true);
  await page.reload();
  await expect(page.getByText('Both were used since the rotation began')).toBeVisible();
  await examine(page, 'rotation');
  await page.getByLabel('Old secret stops in').selectOption({ label: '7 days' });
  await press(page, 'Change deadline');
  await expect(page.getByRole('status').first()).toContainText('The deadline is changed.');
  // Both are in use, so finishing asks first.
  await expect(page.getByRole('button', { name: 'Finish now' })).toBeHidden();
  await page.getByText('Finish anyway…').click();
  await press(page, 'Finish now');
  await expect(page.getByRole('status').first()).toContainText('Rotation finished.');
  expect(await works(old.id, old.secret)).toBe(false);
  expect(await works(old.id, secret)).toBe(true);
  await openUntil(() => open(`/credentials/${old.id}?view=usage`), page.getByText('Secret or key revoked'));
});

test('the page says when only the new secret is used', async () => {
  const old = await generate(page, server, 'moved in one go');
  expect(await works(old.id, old.secret)).toBe(true);
  const secret = await rotate(old.id, '15 minutes');
  expect(await works(old.id, secret)).toBe(true);
  await open(`/credentials/${old.id}/rotate`);
  await expect(page.getByText('Only the new secret or key was used since the rotation began.')).toBeVisible();
});

test('a rotation whose new secret leaked can be begun again', async () => {
  const old = await generate(page, server, 'unlucky');
  const secret = await rotate(old.id, '24 hours');
  await fetch(`${server.url}/leaks/report`, { method: 'POST', body: new URLSearchParams({ token: secret }) });
  await open(`/credentials/${old.id}/rotate`);
  await expect(page.getByText('The new secret or key no longer works')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Finish now' })).toHaveCount(0);
  await examine(page, 'rotation-stuck');
  await press(page, 'Rotate again');
  await page.getByRole('button', { name: 'Rotate secret' }).click();
  await expect(page.getByRole('heading', { name: 'Save your new client secret' })).toBeVisible();
  const again = await page.getByRole('textbox', { name: 'Client secret' }).inputValue();
  server.secret('second new secret', again);
  for (const [one, expected] of [[old.secret, true], [secret, false], [again, true]] as const)
    expect(await works(old.id, one)).toBe(expected);
});

test('a rotation is cancelled, and one without an overlap ends the old secret', async () => {
  const old = await generate(page, server, 'release-pipeline');
  const cancelled = await rotate(old.id, '1 hour');
  await open(`/credentials/${old.id}/rotate`);
  await page.locator('summary', { hasText: 'Cancel rotation…' }).click();
  await press(page, 'Cancel rotation');
  await expect(page.getByRole('status').first()).toContainText('Rotation cancelled.');
  expect(await works(old.id, cancelled)).toBe(false);
  expect(await works(old.id, old.secret)).toBe(true);
  const replaced = await rotate(old.id, 'None: it stops now');
  expect(await works(old.id, old.secret)).toBe(false);
  expect(await works(old.id, replaced)).toBe(true);
});

test('the command line rotates, finishes and cancels', async () => {
  const old = await server.createCredential('by command');
  const rotated = async () => {
    const printed = JSON.parse(await server.command(['credential', 'rotate', old.client_id, '--format', 'json']));
    server.secret('secret that the command line rotated to', printed.client_secret);
    return printed.client_secret as string;
  };
  const first = await rotated();
  for (const secret of [old.client_secret, first]) expect(await works(old.client_id, secret)).toBe(true);
  await expect(server.command(['credential', 'rotate', old.client_id])).rejects.toThrow();
  await server.command(['credential', 'cancel-rotation', old.client_id]);
  expect(await works(old.client_id, first)).toBe(false);
  const second = await rotated();
  await server.command(['credential', 'finish-rotation', old.client_id]);
  expect(await works(old.client_id, old.client_secret)).toBe(false);
  expect(await works(old.client_id, second)).toBe(true);
});

test('a leaked secret is found and ended', async () => {
  const leaked = await generate(page, server, 'support-desk');
  const access = await server.accessToken(leaked.id, leaked.secret);
  const other = await server.createCredential('data-sync');
  await open('/leaks');
  await expect(page.getByRole('textbox', { name: 'Leaked text' })).toBeFocused();
  await examine(page, 'leaks');
  await page.getByRole('textbox', { name: 'Leaked text' }).fill('nothing of ours');
  await press(page, 'Find credential');
  await expect(page.getByText('No Countersign secret, token or client ID found.')).toBeVisible();
  await examine(page, 'leaks-nothing');

  await open('/leaks');
  const log = `2026-11-21 curl -u ${leaked.id}:${leaked.secret} https://auth\nsecond: ${other.client_secret}`;
  await page.getByRole('textbox', { name: 'Leaked text' }).fill(log);
  await press(page, 'Find credential');
  await expect(page.getByRole('link', { name: 'support-desk' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Revoke all 2' })).toBeVisible();
  await examine(page, 'leaks-several');
  expect(await page.content()).not.toContain(leaked.secret);
  expect(page.url()).toBe(`${server.url}/leaks`);

  await open('/leaks');
  await page.getByRole('textbox', { name: 'Leaked text' }).fill(leaked.secret);
  await press(page, 'Find credential');
  await page.getByRole('button', { name: 'Revoke credential' }).click();
  await expect(page.getByRole('main').getByText('Revoked', { exact: true }).first()).toBeVisible();
  expect(await works(leaked.id, leaked.secret)).toBe(false);
  expect((await server.callMcp(access, 'tools/list')).status).toBe(401);
  await page.getByRole('link', { name: 'Generate a replacement', exact: true }).click();
  await expect(page.getByRole('textbox', { name: 'Name', exact: true })).toHaveValue('support-desk');
});

test('every secret in a log is rotated at once', async () => {
  const lost = [await server.createCredential('job one'), await server.createCredential('job two')];
  await open('/leaks');
  const log = lost.map((one, number) => `SECRET_${number}=${one.client_secret}`).join('\n');
  await page.getByRole('textbox', { name: 'Leaked text' }).fill(log);
  await press(page, 'Find credential');
  await press(page, 'Rotate all 2');
  await expect(page.getByRole('heading', { name: 'Rotate 2 secrets?' })).toBeVisible();
  await examine(page, 'leaks-renew');
  await page.getByLabel('Overlap').selectOption({ label: 'None: the old secrets stop now' });
  await press(page, 'Rotate secrets');
  await expect(page.getByRole('heading', { name: 'Save your new client secrets' })).toBeVisible();
  const secrets = [];
  for (const one of ['job one', 'job two']) {
    secrets.push(await page.getByRole('textbox', { name: `Client secret of ${one}` }).inputValue());
    server.secret(`new secret of ${one}`, secrets.at(-1)!);
  }
  await examine(page, 'leaks-renewed');
  if (javaScript()) {
    // One of two secrets is copied: the other would still be lost.
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    const copy = (name: string) => page.getByRole('button', { name: `Copy client secret of ${name}` });
    await page.getByRole('heading', { name: 'job one' }).click();
    await copy('job one').click();
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(secrets[0]);
    expect(await isGuarded(page)).toBe(true);
    await copy('job two').click();
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(secrets[1]);
    expect(await isGuarded(page)).toBe(false);
  }
  for (const [number, { client_id, client_secret }] of lost.entries()) {
    expect(await works(client_id, client_secret)).toBe(false);
    expect(await works(client_id, secrets[number])).toBe(true);
  }
});

test('a key is rotated while the program goes on', async () => {
  const key = () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return publicKey.export({ type: 'spki', format: 'pem' }) as string;
  };
  await open('/credentials/new');
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('signs for itself');
  await page.getByText('More options').click();
  await page.getByRole('radio', { name: 'Public key' }).check();
  await page.getByRole('textbox', { name: 'Public key' }).fill(key());
  await press(page, 'Generate credentials');
  await press(page, 'Rotate key');
  await examine(page, 'rotate-key');
  await page.getByRole('textbox', { name: 'Public key' }).fill(key());
  await press(page, 'Rotate key');
  await expect(page.getByRole('status').first()).toContainText('Rotation started.');
  await expect(page.getByText('Retiring')).toBeVisible();
  await examine(page, 'credential-rotating-key');
});

test('the credential’s page says why exchanges are refused', async () => {
  const job = await server.createCredential('refused job');
  await server.command(['credential', 'disable', job.client_id]);
  expect(await works(job.client_id, job.client_secret)).toBe(false);
  const refused = page.getByRole('region', { name: 'Refused exchanges' });
  await openUntil(() => open(`/credentials/${job.client_id}?view=usage`), refused.getByText('Tried while disabled'));
  await expect(refused).toContainText('Enable the credential, or stop the program.');
  await examine(page, 'usage-refused');
});

test('a found secret is reported, and the credential’s page says so', async () => {
  const found = await server.createCredential('docs-search');
  const body = new URLSearchParams({ token: found.client_secret, url: 'https://paste.example/1' });
  expect((await fetch(`${server.url}/leaks/report`, { method: 'POST', body })).status).toBe(202);
  expect(await works(found.client_id, found.client_secret)).toBe(false);
  await open(`/credentials/${found.client_id}`);
  await expect(page.getByText('was reported as leaked')).toBeVisible();
  await examine(page, 'credential-leaked');
});

test('an emergency stop disables every credential, and is undone', async () => {
  const job = await server.createCredential('still running');
  await open('/settings');
  await examine(page, 'settings');
  await open('/leaks');
  await page.getByRole('link', { name: 'Emergency stop' }).last().click();
  await examine(page, 'emergency');
  await page.getByLabel('Generated before').fill('2020-01-01');
  await press(page, 'Preview');
  await expect(page.getByText('There is nothing to stop.')).toBeVisible();
  await page.getByRole('link', { name: 'Change the selection' }).click();
  await press(page, 'Preview');
  await expect(page.getByRole('heading', { name: /^Stop \d+ credentials\?$/ })).toBeVisible();
  await page.getByRole('textbox', { name: 'Reason' }).fill('Drill');
  await page.getByRole('textbox', { name: 'Type STOP to confirm' }).fill('stop');
  await page.getByRole('button', { name: /^Stop \d+ credentials$/ }).click();
  await expect(page.getByRole('alert')).toContainText('Type STOP to confirm.');
  await examine(page, 'stop-mistake');
  expect(await works(job.client_id, job.client_secret)).toBe(true);
  await page.getByRole('textbox', { name: 'Type STOP to confirm' }).fill('STOP');
  await page.getByRole('button', { name: /^Stop \d+ credentials$/ }).click();
  await expect(page.getByRole('status').first()).toContainText(/^Stopped: \d+ credentials/);
  await examine(page, 'stopped');
  expect(await works(job.client_id, job.client_secret)).toBe(false);
  await open('/emergency');
  await press(page, 'Undo: enable them again');
  await expect(page.getByRole('status').first()).toContainText(/^Enabled again: \d+ credentials/);
  expect(await works(job.client_id, job.client_secret)).toBe(true);
});

test('a leaked signing key is replaced', async () => {
  const job = await server.createCredential('holds a token');
  const token = await server.accessToken(job.client_id, job.client_secret);
  const keys = async () => (await (await fetch(`${server.url}/mcp/oauth/jwks`)).json()).keys.map((key: any) => key.kid);
  const [old] = await keys();
  await open('/settings');
  await press(page, 'Rotate ES256');
  await page.getByRole('button', { name: 'Rotate ES256' }).click();
  await expect(page.getByRole('status').first()).toContainText('The new key is published');
  expect(await keys()).toHaveLength(2);
  await press(page, 'Replace leaked ES256');
  await examine(page, 'key-replace');
  await press(page, 'Replace ES256');
  await expect(page.getByRole('status').first()).toContainText('The key is replaced.');
  expect(await keys()).toHaveLength(1);
  expect(await keys()).not.toContain(old);
  expect((await server.callMcp(token, 'tools/list')).status).toBe(401);
  const fresh = await server.accessToken(job.client_id, job.client_secret);
  expect((await server.callMcp(fresh, 'tools/list')).status).toBe(200);
  await examine(page, 'settings-keys');
  await server.command(['keys', 'rotate', '--emergency']);
  await expect.poll(async () => (await server.callMcp(fresh, 'tools/list')).status).toBe(401);
  expect(await server.command(['keys', 'list'])).toContain('ES256');
});

test('an entry of the audit log opens', async () => {
  await open('/activity?action=emergency.stopped');
  const entry = page.getByRole('row', { name: /Emergency stop/ }).first();
  await expect(entry.locator('time')).toHaveText(/^\d\d:\d\d:\d\d$/);
  await expect(page.getByText('emergency.stopped').first()).toBeHidden();
  await page.locator('summary', { hasText: 'Details of entry' }).first().click();
  await expect(page.locator('details[open]').getByText(/^emergency\./).first()).toBeVisible();
  await examine(page, 'activity-entry');
});

test('the audit log is exported as the page shows it', async () => {
  const columns = [
    'seq', 'at', 'actor_kind', 'actor_id', 'actor_name', 'action', 'target_kind', 'target_id', 'target_name', 'address',
    'agent', 'details', 'previous', 'mac',
  ];
  for (const format of ['CSV', 'JSONL']) {
    await open('/activity?action=credential.leaked');
    await press(page, 'Export');
    await page.getByLabel('Format').selectOption(format.toLowerCase());
    if (format === 'CSV') await examine(page, 'export');
    const waiting = page.waitForEvent('download');
    await press(page, 'Export');
    const text = await readFile(await (await waiting).path(), 'utf8');
    const lines = text.trim().split(format === 'CSV' ? '\r\n' : '\n');
    if (format === 'CSV') expect(lines.shift()).toBe(columns.join());
    else for (const line of lines) expect(JSON.parse(line).action).toBe('credential.leaked');
    expect(lines.length).toBeGreaterThan(0);
  }
  const lines = (await server.command(['audit', 'export'])).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line).seq)).toEqual(lines.map((_, index) => index + 1));
  expect(await server.command(['audit', 'export', '--format', 'csv'])).toContain('emergency.stopped');
  expect(await server.command(['audit', 'verify'])).toContain('intact');
});

test('the command line searches a text for secrets', async () => {
  const lost = await server.createCredential('old-crawler');
  const text = `export MCP_CLIENT_SECRET="${lost.client_secret}"\n`;
  const found = await server.command(['leak', '-'], text);
  expect(found).toContain(lost.client_id);
  expect(found).toContain('is in the text, and works');
  expect(found).not.toContain(lost.client_secret);
  expect(await works(lost.client_id, lost.client_secret)).toBe(true);
  expect(await server.command(['leak', '-', '--revoke'], text)).toContain('Revoked: 1');
  expect(await works(lost.client_id, lost.client_secret)).toBe(false);
});

test('a stranger stops a leaked secret without an account', async ({ browser }) => {
  const found = await generate(page, server, 'backups');
  const context = await browser.newContext({ javaScriptEnabled: test.info().project.use.javaScriptEnabled });
  const stranger = await context.newPage();
  await stranger.goto(`${server.url}/login`);
  await stranger.getByRole('link', { name: 'Report and stop it' }).click();
  await expect(stranger.getByRole('heading', { name: 'Report a leaked secret' })).toBeVisible();
  await stranger.getByRole('button', { name: 'Report and stop it' }).click();
  await expect(stranger.getByRole('alert')).toContainText('Paste the secret');
  await examine(stranger, 'leak-report-mistake');
  await stranger.getByRole('textbox', { name: 'Leaked secret' }).fill(`CLIENT_SECRET=${found.secret}`);
  await examine(stranger, 'leak-report');
  await stranger.getByRole('button', { name: 'Report and stop it' }).click();
  await expect(stranger.getByRole('status').filter({ hasText: '1 secret or token was stopped.' })).toBeVisible();
  await examine(stranger, 'leak-reported');
  expect(await works(found.id, found.secret)).toBe(false);
  await context.close();
});
