import { expect, test } from '@playwright/test';
import { createAdministrator, examine, javaScript, person, press, watch } from './browser';
import { Countersign } from './countersign';

/** A form outlives its session: after the sign-in it shows what was typed. */
test('a form that outlives its session is given back', async ({ browser }) => {
  const server = await Countersign.start();
  const context = await browser.newContext({ javaScriptEnabled: javaScript() });
  const problems = watch(context, server);
  const page = await context.newPage();
  await createAdministrator(page, server);
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('written before lunch');
  await context.clearCookies({ name: 'countersign_session' });
  await press(page, 'Generate credentials');
  await expect(page.getByText('the form opens again with what you typed')).toBeVisible();
  await page.getByLabel('Email').fill(person.email);
  await page.getByLabel('Password').fill(person.password);
  await press(page, 'Sign in');
  await expect(page).toHaveURL(`${server.url}/credentials/new`);
  await expect(page.getByRole('alert')).toContainText('nothing was changed. Check it and send it again.');
  const name = page.getByRole('textbox', { name: 'Name', exact: true });
  await expect(name).toHaveValue('written before lunch');
  await examine(page, 'draft');
  await press(page, 'Generate credentials');
  await expect(page.getByRole('heading', { name: 'Save your client secret' })).toBeVisible();
  await page.goto(`${server.url}/credentials/new`);
  await expect(name).toHaveValue('');
  expect(problems).toEqual([]);
  await context.close();
  await server.stop();
  await server.remove();
});
