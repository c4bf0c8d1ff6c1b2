import { expect, test, type Browser, type Page } from '@playwright/test';
import { createAdministrator, examine, generate, javaScript, person, press, watch } from './browser';
import { copyInEachWay } from './copying';
import { Countersign } from './countersign';

/** A team, from its first invitation until a member leaves. */
test.describe.configure({ mode: 'serial' });

const password = 'quiet otter paints doors';

let server: Countersign;
let administrator: Page;
let manager: Page;
let viewer: Page;
const problems: string[][] = [];

async function visitor(browser: Browser): Promise<Page> {
  const context = await browser.newContext({ javaScriptEnabled: javaScript() });
  problems.push(watch(context, server));
  return context.newPage();
}

test.beforeAll(async ({ browser }) => {
  server = await Countersign.start();
  server.secret('password of the others', password);
  administrator = await visitor(browser);
  await createAdministrator(administrator, server);
});

test.afterEach(() => expect(problems.flat()).toEqual([]));

test.afterAll(async () => {
  for (const page of [administrator, manager, viewer]) await page?.context().close();
  expect(await server.traces()).toEqual([]);
  await server.stop();
  await server.remove();
});

const open = (page: Page, path: string) => page.goto(server.url + path);
const id = (page: Page) => new URL(page.url()).pathname.split('/').pop()!;

/** Invites a person on the page that is open, and returns the link. */
async function invite(page: Page, email: string, role: string): Promise<string> {
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Role').selectOption(role);
  await page.getByRole('button', { name: 'Add to team' }).click();
  await expect(page.getByRole('heading', { name: 'Save the invitation link' })).toBeVisible();
  const link = await page.getByRole('textbox', { name: 'Invitation link' }).inputValue();
  server.secret(`invitation of ${email}`, new URL(link).searchParams.get('token')!);
  return link;
}

async function createAccount(page: Page, link: string, name: string) {
  await page.goto(link);
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Create account' }).click();
  await expect(page.getByRole('heading', { name: 'Overview' })).toBeVisible();
}

test('an administrator makes a team and invites its manager', async ({ browser }) => {
  await open(administrator, '/teams');
  await examine(administrator, 'teams');
  await press(administrator, 'New team');
  await administrator.getByRole('textbox', { name: 'Name', exact: true }).fill('Default');
  await press(administrator, 'Create team');
  await expect(administrator.getByRole('alert')).toContainText('There is a team of this name already.');
  await administrator.getByRole('textbox', { name: 'Name', exact: true }).fill('Payments');
  await press(administrator, 'Create team');
  await expect(administrator.getByRole('heading', { name: 'Payments' })).toBeVisible();
  await examine(administrator, 'team-empty');
  await press(administrator, 'Add somebody');
  await administrator.getByLabel('Email').fill('not an address');
  // With its own checks on, the browser would not send the form.
  await administrator.locator('form').evaluateAll((forms: HTMLFormElement[]) => {
    for (const form of forms) form.noValidate = true;
  });
  await press(administrator, 'Add to team');
  await expect(administrator.getByRole('alert')).toContainText('Enter an email address');
  await examine(administrator, 'invite-mistake');
  const link = await invite(administrator, 'grace@example.com', 'manager');
  await examine(administrator, 'invitation-link');
  const shown = administrator.getByRole('textbox', { name: 'Invitation link' });
  await copyInEachWay(administrator, 'Copy invitation link', shown);
  await press(administrator, 'Done');
  await expect(administrator.getByRole('rowheader', { name: /grace@example.com/ })).toBeVisible();
  expect(await administrator.content()).not.toContain('token=');
  await examine(administrator, 'team-invited');

  manager = await visitor(browser);
  await manager.goto(link);
  await expect(manager.getByText('You will be in the team Payments, as a manager.')).toBeVisible();
  await examine(manager, 'invitation');
  await createAccount(manager, link, 'Grace Hopper');
  await manager.goto(link);
  await expect(manager.getByRole('heading', { name: 'This invitation no longer works' })).toBeVisible();
  await examine(manager, 'invitation-used');
});

test('a manager works in the team and invites a viewer, who only looks', async ({ browser }) => {
  await generate(administrator, server, 'of-the-first-team');
  const made = await generate(manager, server, 'nightly-payout');
  expect((await server.exchange(made.id, made.secret)).status).toBe(200);
  await open(manager, '/credentials');
  await expect(manager.getByRole('rowheader')).toHaveCount(1);
  await expect(manager.getByRole('link', { name: 'People', exact: true })).toHaveCount(0);
  await expect(manager.getByRole('link', { name: 'Settings' })).toHaveCount(0);
  for (const path of ['/people', '/settings', '/servers/new']) {
    expect((await open(manager, path))!.status(), path).toBe(404);
  }

  await open(manager, '/teams');
  await press(manager, 'Payments');
  await press(manager, 'Add somebody');
  const link = await invite(manager, 'lin@example.com', 'viewer');
  viewer = await visitor(browser);
  await createAccount(viewer, link, 'Lin');
  await open(viewer, '/credentials');
  await expect(viewer.getByRole('rowheader', { name: 'nightly-payout' })).toBeVisible();
  await expect(viewer.getByRole('link', { name: 'Generate credentials' })).toHaveCount(0);
  await expect(viewer.getByRole('button', { name: 'Revoke' })).toHaveCount(0);
  await expect(viewer.getByRole('checkbox', { name: 'Select nightly-payout' })).toHaveCount(0);
  await examine(viewer, 'credentials-as-viewer');
  await press(viewer, 'nightly-payout');
  await expect(viewer.getByRole('heading', { name: 'nightly-payout' })).toBeVisible();
  for (const name of ['Rotate secret', 'Edit', 'Disable', 'Revoke']) {
    await expect(viewer.getByRole('link', { name, exact: true }), name).toHaveCount(0);
  }
  await examine(viewer, 'credential-as-viewer');
  expect((await open(viewer, `/credentials/${made.id}/revoke`))!.status()).toBe(403);
  await expect(viewer.getByRole('heading', { name: 'Your role does not allow this' })).toBeVisible();
  await examine(viewer, 'forbidden');

  // Who has an account needs no invitation.
  await open(manager, '/teams');
  await press(manager, 'Payments');
  await press(manager, 'Add somebody');
  await manager.getByLabel('Email').fill(person.email);
  await manager.getByLabel('Role').selectOption('viewer');
  await press(manager, 'Add to team');
  await expect(manager.getByText(`Added. ${person.name} is in the team, as Viewer.`)).toBeVisible();
  await examine(manager, 'team-added');
  await press(manager, `Change ${person.name}`);
  await manager.locator('summary', { hasText: 'Remove from team' }).click();
  await press(manager, 'Remove from team');
  await expect(manager.getByText('Removed from the team.')).toBeVisible();

  // A new role counts from the next request.
  await open(manager, '/teams');
  await press(manager, 'Payments');
  await press(manager, 'Change Lin');
  await examine(manager, 'member-change');
  await manager.getByRole('combobox', { name: 'Role' }).selectOption('member');
  await press(manager, 'Save role');
  await expect(manager.getByText('Role saved.')).toBeVisible();
  await examine(manager, 'team');
  await open(viewer, `/credentials/${made.id}/revoke`);
  await expect(viewer.getByRole('button', { name: 'Revoke credential' })).toBeVisible();

  // A credential of another team does not exist for the viewer.
  await open(administrator, '/credentials');
  await administrator.getByRole('combobox', { name: 'Team' }).selectOption('Default');
  if (!javaScript()) await press(administrator, 'Apply');
  await press(administrator, 'of-the-first-team');
  expect((await open(viewer, `/credentials/${id(administrator)}`))!.status()).toBe(404);
});

test('a member leaves', async () => {
  const made = await generate(viewer, server, 'made-by-lin');
  const kept = await generate(viewer, server, 'kept-by-the-team');
  await open(administrator, '/people');
  await examine(administrator, 'people');
  await press(administrator, 'Lin');
  await examine(administrator, 'person');
  for (const view of ['Credentials', 'Access', 'Activity']) {
    await administrator.getByRole('navigation', { name: 'Views of the person' }).getByRole('link', { name: view }).click();
    await examine(administrator, `person-${view.toLowerCase()}`);
  }
  await open(administrator, new URL(administrator.url()).pathname);
  await press(administrator, 'Disable');
  await expect(administrator.getByRole('heading', { name: 'Disable Lin?' })).toBeVisible();
  await examine(administrator, 'person-disable');
  await press(administrator, 'Disable person');
  const done = 'Disabled. Their sessions, connected apps and personal tokens have ended';
  await expect(administrator.getByText(done)).toBeVisible();
  await examine(administrator, 'person-disabled');
  await open(viewer, '/credentials');
  await expect(viewer.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await viewer.getByLabel('Email').fill('lin@example.com');
  await viewer.getByLabel('Password').fill(password);
  await press(viewer, 'Sign in');
  await expect(viewer.getByRole('alert')).toContainText('do not match an account');
  expect((await server.exchange(made.id, made.secret)).status, 'the credential is the team’s').toBe(200);

  // What Lin owns gets another owner, with a receipt.
  const lin = new URL(administrator.url()).pathname;
  await press(administrator, 'Give them to somebody else');
  await expect(administrator.getByRole('heading', { name: 'Give 2 credentials of Lin to somebody else' })).toBeVisible();
  await examine(administrator, 'person-give');
  await administrator.getByRole('combobox', { name: 'New owner' }).selectOption({ label: 'Grace Hopper: all' });
  await press(administrator, 'Give credentials');
  await expect(administrator.getByText('2 credentials given to another owner.', { exact: true })).toBeVisible();
  await expect(administrator.getByRole('row', { name: /kept-by-the-team.*owner: Lin → Grace Hopper/ })).toBeVisible();
  await examine(administrator, 'person-gave');
  await open(administrator, `/credentials/${kept.id}/revoke`);
  await press(administrator, 'Revoke credential');
  await open(administrator, lin);

  await press(administrator, 'Preview');
  await expect(administrator.getByRole('heading', { name: 'Revoke 1 credential?' })).toBeVisible();
  await expect(administrator.getByText('Lin (lin@example.com)')).toBeVisible();
  await examine(administrator, 'person-revoke');
  await administrator.getByLabel('Type STOP to confirm').fill('STOP');
  await press(administrator, 'Revoke 1 credential');
  await expect(administrator.getByText('Revoked: 1 credential. This cannot be undone.')).toBeVisible();
  expect((await server.exchange(made.id, made.secret)).status).toBe(401);

  await open(administrator, '/activity');
  await expect(administrator.getByRole('row', { name: /Person disabled.*Lin/ })).toBeVisible();
  await open(manager, '/activity');
  await expect(manager.getByRole('row', { name: /Credential revoked.*made-by-lin/ })).toBeVisible();
  await expect(manager.getByRole('row', { name: /Person disabled.*Lin/ })).toHaveCount(0);
  await examine(manager, 'activity-as-manager');
});

test('the last administrator stays', async () => {
  await open(administrator, '/people');
  await administrator.getByRole('main').getByRole('link', { name: person.name }).click();
  await expect(administrator.getByRole('heading', { name: person.name })).toBeVisible();
  await expect(administrator.getByRole('link', { name: 'Disable' })).toHaveCount(0);
  await open(administrator, `/people/${id(administrator)}/change?to=person`);
  await press(administrator, 'Remove as administrator');
  await expect(administrator.getByRole('alert')).toContainText('Nobody could administer');
});

test('a team gets another name, and is removed after its credentials moved', async () => {
  await open(administrator, '/teams');
  await press(administrator, 'Payments');
  for (const view of ['MCP servers', 'Usage', 'Activity', 'Overview']) {
    await administrator.getByRole('navigation', { name: 'Views of the team' }).getByRole('link', { name: view }).click();
    await examine(administrator, `team-${view.toLowerCase().replace(' ', '-')}`);
  }
  await press(administrator, 'Rename');
  await administrator.getByRole('textbox', { name: 'Name', exact: true }).fill('Default');
  await press(administrator, 'Save name');
  await expect(administrator.getByRole('alert')).toContainText('There is a team of this name already.');
  await examine(administrator, 'team-rename');
  await administrator.getByRole('textbox', { name: 'Name', exact: true }).fill('Billing');
  await press(administrator, 'Save name');
  await expect(administrator.getByText('Name saved.')).toBeVisible();

  await press(administrator, 'Remove');
  await expect(administrator.getByRole('heading', { name: 'Billing cannot be removed yet' })).toBeVisible();
  await expect(administrator.getByText('2 of them revoked')).toBeVisible();
  await expect(administrator.getByRole('button', { name: 'Remove team' })).toHaveCount(0);
  await examine(administrator, 'team-remove-blocked');
  await press(administrator, 'Move them');
  await administrator.getByRole('combobox', { name: 'New team' }).selectOption('Default');
  await press(administrator, 'Continue');
  await expect(administrator.getByRole('heading', { name: 'Move 3 credentials to Default?' })).toBeVisible();
  await examine(administrator, 'several-move');
  await press(administrator, 'Move credentials');
  await expect(administrator.getByText('3 credentials moved.', { exact: true })).toBeVisible();
  await examine(administrator, 'several-moved');
  // The move is reversed, and done again.
  await press(administrator, 'Undo');
  await administrator.getByRole('main').getByRole('button', { name: 'Undo' }).click();
  await expect(administrator.getByText('3 credentials changed back.', { exact: true })).toBeVisible();
  await open(administrator, '/teams');
  await press(administrator, 'Billing');
  await press(administrator, 'Remove');
  await press(administrator, 'Move them');
  await administrator.getByRole('combobox', { name: 'New team' }).selectOption('Default');
  await press(administrator, 'Continue');
  await press(administrator, 'Move credentials');
  await open(administrator, '/teams');
  await press(administrator, 'Billing');
  await press(administrator, 'Remove');
  await examine(administrator, 'team-remove');
  await press(administrator, 'Remove team');
  await expect(administrator.getByText('Team removed.')).toBeVisible();
});

test('a person who forgot the password gets in again with a link', async ({ browser }) => {
  await open(administrator, '/people');
  await administrator.getByRole('main').getByRole('link', { name: 'Grace Hopper' }).click();
  await press(administrator, 'Password link');
  await examine(administrator, 'password-link-question');
  await press(administrator, 'Make password link');
  await expect(administrator.getByRole('heading', { name: 'Save the password link' })).toBeVisible();
  const first = await administrator.getByRole('textbox', { name: 'Password link' }).inputValue();
  server.secret('password link that is withdrawn', new URL(first).searchParams.get('token')!);
  await examine(administrator, 'password-link');

  // Another one replaces it, and is withdrawn.
  await press(administrator, 'Done');
  await expect(administrator.getByText('A password link that')).toBeVisible();
  await examine(administrator, 'person-with-password-link');
  await press(administrator, 'Withdraw the link');
  await expect(administrator.getByText('Password link withdrawn. It no longer works.')).toBeVisible();
  await press(administrator, 'Password link');
  await press(administrator, 'Make password link');
  const link = await administrator.getByRole('textbox', { name: 'Password link' }).inputValue();
  server.secret('password link', new URL(link).searchParams.get('token')!);

  const forgetful = await visitor(browser);
  await forgetful.goto(`${server.url}/login`);
  await expect(forgetful.getByText('ask an administrator for a password link')).toBeVisible();
  await forgetful.goto(first);
  await expect(forgetful.getByRole('heading', { name: 'This password link no longer works' })).toBeVisible();
  await forgetful.goto(link);
  await examine(forgetful, 'password-set');
  const next = 'seven quiet otters draw maps';
  server.secret('another password', next);
  await forgetful.getByLabel('New password', { exact: true }).fill('too short');
  await press(forgetful, 'Set password');
  await expect(forgetful.getByRole('alert')).toContainText('15 characters');
  await examine(forgetful, 'password-set-mistake');
  await forgetful.getByLabel('New password', { exact: true }).fill(next);
  await press(forgetful, 'Set password');
  await expect(forgetful.getByRole('heading', { name: 'Your new password works' })).toBeVisible();
  await examine(forgetful, 'password-set-done');
  await press(forgetful, 'Sign in');
  await forgetful.getByLabel('Email').fill('grace@example.com');
  await forgetful.getByLabel('Password').fill(next);
  await press(forgetful, 'Sign in');
  await expect(forgetful.getByRole('heading', { name: 'Overview' })).toBeVisible();
  await forgetful.goto(link);
  await expect(forgetful.getByRole('heading', { name: 'This password link no longer works' })).toBeVisible();
  await forgetful.context().close();
});
