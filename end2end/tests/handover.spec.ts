import { expect, test } from '@playwright/test';
import { createAdministrator, examine, generate, press, watch } from './browser';
import { Countersign } from './countersign';

/** A secret goes to somebody without an account, by a link that opens once. */
test('a secret is handed over by a link', async ({ browser }) => {
  const server = await Countersign.start();
  const context = await browser.newContext();
  const problems = watch(context, server);
  const page = await context.newPage();
  await createAdministrator(page, server);
  const job = await generate(page, server, 'partner-import');
  const panel = page.getByRole('region', { name: 'Hand it over' });
  await panel.getByRole('textbox', { name: 'Word' }).fill('abc');
  await press(page, 'Make link');
  await expect(page.getByRole('alert')).toContainText('Use 4 to 100 characters');
  await expect(page.getByRole('textbox', { name: 'Client secret' })).toHaveValue(job.secret);
  await examine(page, 'handover-mistake');
  await page.getByRole('textbox', { name: 'Word' }).fill('blue whale');
  await page.getByRole('textbox', { name: 'For whom' }).fill('Grace at Acme');
  await page.getByLabel('Open within').selectOption({ label: '1 hour' });
  await press(page, 'Make link');
  const link = await page.getByRole('textbox', { name: 'Link to the secret' }).inputValue();
  server.secret('link', new URL(link).searchParams.get('token')!);
  await examine(page, 'handover-link');

  const strange = await browser.newContext();
  const receiver = await strange.newPage();
  await receiver.goto(link);
  await expect(receiver.getByRole('heading', { name: 'A secret for you' })).toBeVisible();
  await examine(receiver, 'handover-closed');
  await receiver.getByRole('textbox', { name: 'Word' }).fill('red whale');
  await press(receiver, 'Open the secret');
  await expect(receiver.getByRole('alert')).toContainText('This is not the word. 4 tries are left.');
  await receiver.getByRole('textbox', { name: 'Word' }).fill('blue whale');
  await press(receiver, 'Open the secret');
  await expect(receiver.getByRole('textbox', { name: 'Client secret' })).toHaveValue(job.secret);
  await expect(receiver.getByRole('textbox', { name: 'Client ID' })).toHaveValue(job.id);
  await examine(receiver, 'handover-opened');
  await receiver.goto(link);
  await expect(receiver.getByRole('heading', { name: 'This link does not open' })).toBeVisible();
  expect((await server.exchange(job.id, job.secret)).status).toBe(200);

  await page.goto(`${server.url}/credentials/${job.id}?view=secrets`);
  await expect(page.getByRole('row', { name: /Grace at Acme/ })).toContainText('Opened');
  await examine(page, 'handover-list');
  expect(problems).toEqual([]);
  for (const one of [context, strange]) {
    for (const cookie of await one.cookies()) if (cookie.value) server.secret(`cookie ${cookie.name}`, cookie.value);
    await one.close();
  }
  expect(await server.traces()).toEqual([]);
  await server.stop();
  await server.remove();
});
