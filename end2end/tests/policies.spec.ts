import { expect, test, type Page } from '@playwright/test';
import { createAdministrator, examine, generate, javaScript, person, press, rememberCookies, watch } from './browser';
import { Countersign } from './countersign';

/** What an installation allows: policies, credentials that a manager approves, and reviews. */
test.describe.configure({ mode: 'serial' });

let server: Countersign;
let page: Page;
let problems: string[];

test.beforeAll(async ({ browser }) => {
  server = await Countersign.start();
  const context = await browser.newContext({ javaScriptEnabled: javaScript() });
  problems = watch(context, server);
  page = await context.newPage();
  await createAdministrator(page, server);
});

test.afterEach(() => expect(problems).toEqual([]));

test.afterAll(async () => {
  await rememberCookies(page.context(), server);
  await page.context().close();
  expect(await server.traces()).toEqual([]);
  await server.stop();
  await server.remove();
});

const open = (path: string) => page.goto(server.url + path);
const policy = (name: string) => page.getByRole('row', { name });

/** Chooses a mode of the policy whose page is open. */
async function save(mode: string) {
  await page.getByRole('radio', { name: mode }).check();
  await press(page, 'Save policy');
}

test('a policy is observed, and then enforced', async () => {
  await generate(page, server, 'nightly-index');
  await open('/settings');
  await page.getByRole('link', { name: 'Policies', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Settings', exact: true })).toBeVisible();
  await expect(page.getByRole('table').getByRole('row')).toHaveCount(9);
  await examine(page, 'policies');
  await page.getByRole('link', { name: 'Longest life of a secret' }).click();
  await page.getByRole('spinbutton', { name: 'At most, in days' }).fill('30');
  await save('Observe');
  await expect(page.getByRole('status').filter({ hasText: /./ })).toContainText('Policy saved.');
  await expect(policy('Longest life of a secret')).toContainText('At most 30 days');
  await expect(policy('Longest life of a secret')).toContainText('Observed');

  await page.getByRole('link', { name: 'Longest life of a secret' }).click();
  await expect(page.getByRole('region', { name: 'Does not comply: 1 credential' })).toContainText('nightly-index');
  await examine(page, 'policy-observed');
  await save('Enforce');
  await expect(page.getByRole('alert')).toContainText('1 credential does not comply.');
  await examine(page, 'policy-asks');
  await page.getByRole('checkbox', { name: 'I have read who and what does not comply' }).check();
  await save('Enforce');
  await expect(policy('Longest life of a secret')).toContainText('Enforced');
  await open('/credentials/new');
  await expect(page.getByText('A policy allows a secret at most 30 days.')).toBeVisible();
  await expect(page.getByRole('radio', { name: 'In 30 days' })).toBeChecked();
  await expect(page.getByRole('radio', { name: 'Never' })).toHaveCount(0);
  await examine(page, 'policy-new-credential');
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('short-lived');
  await press(page, 'Generate credentials');
  await expect(page.getByRole('heading', { name: 'Save your client secret' })).toBeVisible();
  server.secret('secret', await page.getByRole('textbox', { name: 'Client secret' }).inputValue());
  await open('/settings/policies/proof');
  await examine(page, 'policy-proof');
  await open('/settings/policies/second_factor');
  await expect(page.getByText('1 person has no second factor, and must add one')).toBeVisible();
  await examine(page, 'policy-people');
});

test('a member asks, a manager approves, and the member sees the secret', async ({ browser }) => {
  await open('/people/invite');
  await page.getByLabel('Email').fill('grace@example.com');
  await page.getByLabel('Role').selectOption('member');
  await page.getByLabel('Team').selectOption({ label: 'Default' });
  await press(page, 'Create invitation');
  const link = await page.getByRole('textbox', { name: 'Invitation link' }).inputValue();
  server.secret('invitation', new URL(link).searchParams.get('token')!);
  await open('/settings/policies/generation');
  await page.getByRole('radio', { name: 'Enforce' }).check();
  await press(page, 'Save policy');
  if (await page.getByRole('alert').count()) {
    await page.getByRole('checkbox', { name: /I have read/ }).check();
    await press(page, 'Save policy');
  }
  await expect(policy('A manager approves new credentials')).toContainText('Enforced');

  const context = await browser.newContext({ javaScriptEnabled: javaScript() });
  const hers = watch(context, server);
  const grace = await context.newPage();
  await grace.goto(link);
  await grace.getByLabel('Name', { exact: true }).fill('Grace Hopper');
  await grace.getByLabel('Password').fill(person.password);
  await press(grace, 'Create account');
  await expect(grace.getByRole('heading', { name: 'Overview' })).toBeVisible();
  await grace.goto(`${server.url}/credentials/new`);
  await examine(grace, 'request-form');
  await grace.getByRole('textbox', { name: 'Name', exact: true }).fill('reports');
  await grace.getByRole('textbox', { name: 'For the manager' }).fill('The weekly report reads the documents.');
  await grace.getByRole('button', { name: 'Ask for approval' }).click();
  await expect(grace.getByRole('status').filter({ hasText: /./ })).toContainText('Request sent. A manager of the team decides.');
  await examine(grace, 'request-waiting');

  await open('/');
  await page.getByRole('link', { name: /request waits for you/ }).click();
  await examine(page, 'requests');
  await page.getByRole('link', { name: 'reports' }).click();
  await expect(page.getByText('The weekly report reads the documents.')).toBeVisible();
  await examine(page, 'request-to-decide');
  await page.getByRole('textbox', { name: 'To the member' }).fill('For reports only.');
  await press(page, 'Approve');
  await expect(page.getByRole('status').filter({ hasText: /./ })).toContainText('Approved. The member can generate it for 7 days.');
  await expect(page.getByRole('button', { name: 'Generate credentials' })).toHaveCount(0);

  await grace.reload();
  await expect(grace.getByText('For reports only.')).toBeVisible();
  await examine(grace, 'request-approved');
  await grace.getByRole('button', { name: 'Generate credentials' }).click();
  await expect(grace.getByRole('heading', { name: 'Save your client secret' })).toBeVisible();
  const secret = await grace.getByRole('textbox', { name: 'Client secret' }).inputValue();
  const id = await grace.getByRole('textbox', { name: 'Client ID' }).inputValue();
  server.secret('secret of the request', secret);
  expect((await server.exchange(id, secret)).status).toBe(200);
  await open('/requests');
  await expect(page.getByRole('row', { name: 'reports' })).toContainText('Generated');
  expect(hers).toEqual([]);
  await rememberCookies(context, server);
  await context.close();
});

test('reviews list what is due', async () => {
  await open('/reviews');
  await expect(page.getByText('Reviews are off')).toBeVisible();
  await open('/settings/policies/review');
  await examine(page, 'policy-review');
  await save('Observe');
  await open('/reviews');
  await expect(page.getByText('Nothing is due.')).toBeVisible();
  await examine(page, 'reviews-none');
});
