import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { createAdministrator, examine, javaScript, press, watch } from './browser';
import { Countersign } from './countersign';

test('the list of credentials is searched, sorted, and acted upon', async ({ page, context }) => {
  const server = await Countersign.start();
  const problems = watch(context, server);
  await createAdministrator(page, server);
  for (const name of ['alpha', 'beta', 'gamma']) await server.createCredential(name, '--scope', 'mcp:read');
  const open = (path: string) => page.goto(server.url + path);
  const row = (name: string) => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name }) });

  await test.step('rows are low, and say how many there are', async () => {
    await page.setViewportSize({ width: 1440, height: 900 });
    await open('/credentials');
    for (const name of ['alpha', 'beta', 'gamma']) {
      expect((await row(name).boundingBox())!.height).toBeLessThanOrEqual(54);
    }
    await expect(page.getByRole('main').getByText('1–3 of 3')).toBeVisible();
    await examine(page, 'list');
  });

  await test.step('a search looks at everything', async () => {
    await page.getByRole('searchbox', { name: 'Search', exact: true }).fill('beta');
    if (!javaScript()) await page.getByRole('searchbox', { name: 'Search', exact: true }).press('Enter');
    await expect(page.getByRole('rowheader')).toHaveCount(1);
    await expect(row('beta')).toBeVisible();
    await expect(page).toHaveURL(/q=beta/);
    await expect(page.getByRole('main').getByText('1–1 of 1')).toBeVisible();
  });

  await test.step('heads sort, and columns are chosen', async () => {
    await open('/credentials');
    await page.getByRole('columnheader', { name: 'Name' }).getByRole('link').click();
    await expect(page.getByRole('columnheader', { name: 'Name' })).toHaveAttribute('aria-sort', 'ascending');
    await page.getByRole('columnheader', { name: 'Name' }).getByRole('link').click();
    await expect(page.getByRole('rowheader').first()).toContainText('gamma');
    await page.locator('summary', { hasText: 'Columns' }).click();
    await page.getByRole('checkbox', { name: 'Created' }).check();
    await press(page, 'Show columns');
    await expect(page.getByRole('columnheader', { name: 'Created' })).toBeVisible();
    await open('/credentials');
    await expect(page.getByRole('columnheader', { name: 'Created' }), 'is remembered').toBeVisible();
  });

  await test.step('secrets are rotated together, saved, and the rotations finished', async () => {
    const names = ['beta', 'gamma'];
    const ticked = (name: string) => page.getByRole('checkbox', { name: `Select ${name}` });
    const bulk = page.getByRole('group', { name: 'Selected credentials' });
    await open('/credentials?sort=name');
    for (const name of names) await ticked(name).check();
    await bulk.getByRole('button', { name: 'Rotate' }).click();
    await examine(page, 'several-rotate');
    await press(page, 'Rotate secrets');
    const table = await page.locator('#csv').evaluate((field: HTMLTextAreaElement) => field.value);
    for (const line of table.trim().split('\n').slice(1)) server.secret(`new ${line.slice(0, 8)}`, line.split(',').at(-1)!);
    expect(table).toMatch(/^name,client_id,client_secret\n("(beta|gamma)","csc_\w+",css_\w+\n){2}$/);
    await examine(page, 'several-secrets');
    if (javaScript()) {
      const saving = page.waitForEvent('download');
      await page.getByRole('link', { name: 'Save as a file' }).click();
      expect((await saving).suggestedFilename()).toBe('secrets.csv');
    }
    await page.getByRole('link', { name: 'I have stored these secrets' }).click();
    await expect(page).toHaveURL(/sort=name/);
    await open('/credentials?status=rotating');
    for (const name of names) await ticked(name).check();
    await bulk.getByRole('button', { name: 'Change deadline' }).click();
    await page.getByLabel('Old secrets and keys stop in').selectOption('7 days');
    await press(page, 'Change deadline');
    await expect(page.getByText('2 rotations given another deadline.', { exact: true })).toBeVisible();
    await examine(page, 'several-deadline');
    await open('/credentials?status=rotating');
    for (const name of names) await ticked(name).check();
    await bulk.getByRole('button', { name: 'Finish rotation' }).click();
    await expect(page.getByText('The new one was not used')).toHaveCount(2);
    await examine(page, 'several-finish');
    await press(page, 'Finish rotations');
    await expect(page.getByRole('link', { name: 'Choose which rotations to finish.' })).toBeVisible();
    await page.getByRole('combobox', { name: 'Which' }).selectOption({ index: 1 });
    await press(page, 'Finish rotations');
    await expect(page.getByText('2 rotations finished.', { exact: true })).toBeVisible();
    await open('/credentials');
  });

  if (javaScript()) {
    await test.step('the menu of a row obeys the keyboard', async () => {
      const button = page.getByRole('button', { name: 'Actions for beta' });
      await button.focus();
      await page.keyboard.press('ArrowDown');
      await expect(page.getByRole('link', { name: 'Edit', exact: true })).toBeFocused();
      await page.keyboard.press('ArrowUp');
      await expect(page.getByRole('link', { name: 'Revoke', exact: true })).toBeFocused();
      await expect(page.getByRole('link', { name: 'Enable', exact: true }), 'it works').toBeHidden();
      await page.keyboard.press('Escape');
      await expect(button).toBeFocused();
      await expect(page.getByRole('link', { name: 'Edit', exact: true })).toBeHidden();
    });
  } else {
    await test.step('without a tick the list says what to do', async () => {
      await press(page, 'Disable');
      await expect(page.getByRole('alert')).toContainText('Nothing is selected.');
      await expect(page.getByRole('rowheader')).toHaveCount(3);
      await examine(page, 'list-nothing-ticked');
    });
  }

  await test.step('what is ticked is acted upon, with a receipt', async () => {
    await open('/credentials?sort=name');
    for (const name of ['alpha', 'gamma']) await row(name).getByRole('checkbox').check();
    if (javaScript()) await expect(page.getByText('2 selected')).toBeVisible();
    await press(page, 'Disable');
    await expect(page.getByRole('heading', { name: 'Disable 2 credentials?' })).toBeVisible();
    await examine(page, 'several');
    await press(page, 'Disable credentials');
    await expect(page.getByText('2 credentials disabled.', { exact: true })).toBeVisible();
    await examine(page, 'receipt');
    await press(page, 'Back to the list');
    await expect(row('alpha')).toContainText('Disabled');
    await expect(row('beta')).toContainText('Unverified');
    await open('/credentials?q=nothing-is-called-this');
    await press(page, 'Show all');
    await expect(page.getByRole('rowheader')).toHaveCount(3);
  });
  expect(problems).toEqual([]);
});

test('fourteen rows fit a window of 1440 × 900', async ({ page }) => {
  const server = await Countersign.start();
  await createAdministrator(page, server);
  const hash = '$pbkdf2-sha256$i=100000,l=32$c2FsdHNhbHQ$q2J7t2Ro5nn557h2Vnmmw4afAAy1ExJHK8Za+AcwhGI';
  const ends = [null, undefined, new Date(Date.now() + 5 * 86_400_000).toISOString()];
  const line = (_: unknown, number: number) =>
    JSON.stringify({
      name: `job-${number}`,
      client_id: `job-${number}`,
      client_secret_hash: hash,
      expires_at: ends[number % 3],
      disabled: number % 10 === 0,
    });
  await writeFile(join(server.folder, 'jobs.jsonl'), Array.from({ length: 60 }, line).join('\n'));
  await server.command(['import', 'jobs.jsonl']);
  for (const number of [1, 2]) await server.command(['credential', 'revoke', `job-${number}`]);
  const tops = (part: string) => page.locator(part).evaluateAll((all) => all.map((one) => one.getBoundingClientRect().top));

  for (const width of [1280, 1440, 1920]) {
    await page.setViewportSize({ width, height: 900 });
    await page.goto(`${server.url}/credentials`);
    const rows = await page.locator('#list tbody tr').evaluateAll((all) => all.map((row) => row.getBoundingClientRect()));
    const seen = rows.filter(({ bottom }) => bottom <= 900);
    expect(Math.max(...rows.map(({ height }) => height)), 'the highest row').toBeLessThanOrEqual(52);
    expect(seen.length, `rows at ${width} pixels`).toBeGreaterThanOrEqual(14);
    expect(new Set(await tops('.pills > a')).size, `lines of filters at ${width} pixels`).toBe(1);
  }

  await page.locator('summary', { hasText: 'More' }).click();
  await page.getByRole('link', { name: 'Revoked 2' }).click();
  await expect(page.locator('summary', { hasText: 'Revoked' }), 'the filter in use is named').toBeVisible();
  await expect(page.getByRole('rowheader')).toHaveCount(2);
  await examine(page, 'list-revoked');
});

test('a long name stays in its card', async ({ page }) => {
  const server = await Countersign.start();
  await createAdministrator(page, server);
  await server.createCredential('short');
  const { client_id: ended } = await server.createCredential('ended');
  await server.createCredential(`a-${'long-'.repeat(18)}name`);
  await server.command(['credential', 'revoke', ended]);
  await page.goto(`${server.url}/credentials`);
  await expect(page.getByRole('link', { name: /^a-long-/ })).toHaveAttribute('title', /^a-long-.*name$/);
  await examine(page, 'list-long-name');
  await page.setViewportSize({ width: 390, height: 800 });
  const left = async (name: string) => (await page.getByRole('link', { name, exact: true }).boundingBox())!.x;
  expect(await left('ended'), 'a row without a box has the same indent').toBe(await left('short'));
});

// Without scripts the bar stands below the list.
test('all actions on ticked credentials are in sight on a phone', { tag: '@scripts' }, async ({ page }) => {
  const server = await Countersign.start();
  await createAdministrator(page, server);
  await server.createCredential('alpha', '--scope', 'mcp:read');
  await page.setViewportSize({ width: 390, height: 800 });
  await page.goto(`${server.url}/credentials`);
  await page.locator('summary', { hasText: 'Columns' }).click();
  await expect(page.getByRole('button', { name: 'Show columns' })).toBeInViewport({ ratio: 1 });
  await page.locator('summary', { hasText: 'Columns' }).click();
  await page.getByRole('checkbox', { name: 'Select alpha' }).check();
  for (const button of await page.getByRole('group', { name: 'Selected credentials' }).getByRole('button').all())
    await expect(button).toBeInViewport({ ratio: 1 });
});
