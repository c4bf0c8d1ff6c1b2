import { expect, test, type Page } from '@playwright/test';
import { createAdministrator, examine, javaScript, press, watch } from './browser';
import { Countersign } from './countersign';

/** The record of a leak: from a pasted log line to a closed incident. */
test.describe.configure({ mode: 'serial' });

let server: Countersign;
let page: Page;
let problems: string[];

test.beforeAll(async ({ browser }) => {
  server = await Countersign.startIn({ COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.1/32' });
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
const exchangeFrom = async (address: string, id: string, secret: string) => {
  const answer = await fetch(`${server.url}/mcp/oauth/token`, {
    method: 'POST',
    headers: { 'x-forwarded-for': address },
    body: new URLSearchParams({ grant_type: 'client_credentials', client_id: id, client_secret: secret }),
  });
  if (answer.status === 200) server.secret(`token for ${address}`, (await answer.json()).access_token);
  return answer.status;
};

test('two clicks lead from a log line to a contained incident', async () => {
  const bot = await server.createCredential('incident-bot');
  for (const address of ['192.0.2.31', '203.0.113.77', '203.0.113.77'])
    expect(await exchangeFrom(address, bot.client_id, bot.client_secret)).toBe(200);
  await open('/incidents');
  await expect(page.getByText('No leak is recorded.')).toBeVisible();
  await examine(page, 'incidents-none');
  await open('/leaks');
  await page.getByRole('textbox', { name: 'Leaked text' }).fill(`env: SECRET=${bot.client_secret}`);
  await press(page, 'Find credential');
  await expect(page.getByText('The leak is recorded as incident #1.')).toBeVisible();
  await page.getByRole('button', { name: 'Revoke credential' }).click();

  await expect(page).toHaveURL(`${server.url}/incidents/1?done=stopped`);
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Secret of incident-bot leaked Contained');
  expect(await exchangeFrom('203.0.113.77', bot.client_id, bot.client_secret)).toBe(401);

  await page.getByRole('textbox', { name: 'Exposed since' }).fill('yesterday');
  await press(page, 'Save');
  await expect(page.getByRole('alert')).toContainText('Write the moment as');
  await expect(page.getByRole('textbox', { name: 'Exposed since' })).toHaveValue('yesterday');
  await examine(page, 'incident-mistake');
  const hourAgo = new Date(Date.now() - 3600_000).toISOString().slice(0, 16).replace('T', ' ');
  await page.getByRole('textbox', { name: 'Exposed since' }).fill(hourAgo);
  await page.getByRole('combobox', { name: 'Handled by' }).selectOption({ label: 'Ada Lovelace' });
  await page.getByRole('textbox', { name: 'Found where' }).fill('the log of a build');
  await press(page, 'Save');
  await expect(page.getByText('Changes saved.')).toBeVisible();
  await expect(page.getByRole('row', { name: /203\.0\.113\.77/ })).toContainText('No');
  await examine(page, 'incident-contained');

  await page.getByRole('textbox', { name: 'Note' }).fill('The vendor removed the commit.\nIts log shows one clone.');
  await press(page, 'Add note');
  await expect(page.getByText('Note added.')).toBeVisible();
  await page.getByRole('button', { name: 'Told' }).click();
  await expect(page.getByText('The owner of Built-in server was told').first()).toBeVisible();
  await page.getByRole('link', { name: 'Generate a replacement', exact: true }).click();
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('incident-bot-2');
  await page.getByRole('button', { name: 'Generate credential' }).click();
  const secret = await page.getByRole('textbox', { name: 'Client secret' }).inputValue();
  server.secret('replacement', secret);
  await open('/incidents/1');
  const tasks = page.getByRole('region', { name: 'What is left to do' });
  await expect(tasks).toContainText('incident-bot is replaced by incident-bot-2, a new credential (done)');
  await expect(tasks).toContainText('its replacement: it is not used yet');

  if (javaScript()) {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await press(page, 'Copy for a ticket');
    const copied = () => page.evaluate(() => navigator.clipboard.readText());
    await expect.poll(copied).toMatch(/^# Secret of incident-bot leaked\n[^]*## To do\n/);
  }
  await page.getByText('Export', { exact: true }).click();
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Markdown' }).click(),
  ]);
  expect(file.suggestedFilename()).toBe('incident-1.md');
  await open('/incidents/1');
  await press(page, 'Close incident');
  await expect(page.getByText('Incident closed.')).toBeVisible();
  await examine(page, 'incident-closed');
  await open('/incidents');
  await expect(page.getByRole('row', { name: /#1 Secret of incident-bot leaked/ })).toContainText('Closed');
});

test('several secrets of one text are one incident, with a stop inside it', async () => {
  const lost = [];
  for (const name of ['build-agent', 'release-train']) lost.push(await server.createCredential(name));
  await open('/leaks');
  await page.getByRole('textbox', { name: 'Leaked text' }).fill(lost.map((one) => one.client_secret).join(' '));
  await press(page, 'Find credential');
  await page.getByRole('link', { name: 'incident #2' }).click();
  await expect(page.getByText('2 things that leaked still work.')).toBeVisible();
  await expect(page.getByText('2 leaked credentials still work.'), 'the record says it already').toBeHidden();
  await expect(page.getByRole('link', { name: /^Leaks/ }).first()).toHaveAttribute('aria-current', 'true');
  await examine(page, 'incident-open');
  await open('/leaks');
  await expect(page.getByRole('link', { name: /^#2 / })).toBeVisible();
  await examine(page, 'leaks-open');
  await open('/incidents/2');
  await press(page, 'Stop more credentials');
  await expect(page.getByRole('combobox', { name: 'Incident' })).toHaveValue('2');
  await press(page, 'Preview');
  await page.getByRole('textbox', { name: 'Type STOP to confirm' }).fill('STOP');
  await page.getByRole('button', { name: /^Stop / }).click();
  await press(page, 'Go to incident #2');
  await expect(page.getByText(/Emergency stop by Ada Lovelace: \d+ credentials disabled/)).toBeVisible();
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Contained');
});

test('a long address of the place fits the record', async () => {
  const leaked = await server.createCredential('long-way');
  const url = `https://github.com/acme/${'tools-of-the-release-team/'.repeat(6)}.env`;
  const report = new URLSearchParams({ token: leaked.client_secret, url });
  expect((await fetch(`${server.url}/leaks/report`, { method: 'POST', body: report })).status).toBe(202);
  await open('/incidents/3');
  await page.getByRole('textbox', { name: 'Exposed since' }).fill('2026-01-31');
  await press(page, 'Save');
  await expect(page.getByText(`Exposed at ${url}`)).toBeVisible();
  await examine(page, 'incident-reported');
});
