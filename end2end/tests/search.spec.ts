import { expect, test } from '@playwright/test';
import { createAdministrator, examine, javaScript, watch } from './browser';
import { Countersign } from './countersign';

test('everything can be searched from every page', async ({ page, context }) => {
  const server = await Countersign.start();
  const problems = watch(context, server);
  await createAdministrator(page, server);
  const { client_id } = await server.createCredential('nightly-index');
  const credential = `${server.url}/credentials/${client_id}`;

  await page.goto(`${server.url}/activity`);
  if (javaScript()) {
    await page.keyboard.press('Control+k');
    const dialog = page.getByRole('dialog', { name: 'Search' });
    await expect(dialog.getByRole('link', { name: 'Overview' })).toBeVisible();
    await examine(page, 'palette');
    await dialog.getByRole('searchbox').fill('nightly');
    await expect(dialog.getByRole('link').first()).toHaveText(/nightly-index/);
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(credential);

    await page.keyboard.press('/');
    // One change of the text, and one list for it: the arrow must not meet the list of an earlier text.
    await dialog.getByRole('searchbox').fill('people');
    await expect(dialog.getByRole('link', { name: 'Overview' })).toHaveCount(0);
    await expect(dialog.getByRole('link', { name: 'People', exact: false }).first()).toBeVisible();
    await page.keyboard.press('ArrowDown');
    await expect(dialog.getByRole('link').first()).toBeFocused();
    await page.keyboard.press('Escape');
    await expect(dialog).toBeHidden();
    // A slash that somebody types into a field is text.
    await page.goto(`${server.url}/credentials/new`);
    await page.getByRole('textbox', { name: 'Name', exact: true }).press('/');
    await expect(dialog).toBeHidden();
    await expect(page.getByRole('textbox', { name: 'Name', exact: true })).toHaveValue('/');
  } else {
    await page.getByRole('link', { name: 'Search' }).click();
    await page.getByRole('searchbox', { name: 'Search' }).fill('nightly');
    await page.getByRole('searchbox', { name: 'Search' }).press('Enter');
    await page.getByRole('main').getByRole('link', { name: /nightly-index/ }).click();
    await expect(page).toHaveURL(credential);
  }

  await page.goto(`${server.url}/search?q=%3Cb%3Enothing`);
  await expect(page.getByText('Nothing matches “<b>nothing”.')).toBeVisible();
  await examine(page, 'search-none');
  await page.goto(`${server.url}/docs`);
  await examine(page, 'help');
  await page.getByRole('searchbox', { name: 'Search the documentation' }).fill('leak policy');
  await page.getByRole('searchbox', { name: 'Search the documentation' }).press('Enter');
  await expect(page.getByRole('heading', { name: 'Found' })).toBeVisible();
  await examine(page, 'docs-found');
  await page.getByRole('region', { name: 'Found' }).getByRole('link').first().click();
  await expect(page).toHaveURL(/\/docs\/[a-z]+/);
  await page.goto(`${server.url}/docs/guide`);
  await expect(page.getByRole('article')).not.toContainText('auth.example.com');
  await examine(page, 'docs-guide');

  await test.step('a phone has one bar, and a menu that needs no script', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.goto(`${server.url}/activity`);
    const bar = await page.getByRole('banner').boundingBox();
    expect(bar!.height).toBeLessThanOrEqual(56);
    await expect(page.getByRole('link', { name: 'Teams' })).toBeHidden();
    await page.getByRole('button', { name: 'Menu' }).click();
    await page.getByRole('button', { name: 'Help' }).click();
    await expect(page.getByRole('link', { name: 'Endpoints' })).toBeVisible();
    await page.getByRole('button', { name: 'Help' }).click();
    await page.getByRole('link', { name: 'Teams' }).click();
    await expect(page).toHaveURL(`${server.url}/teams`);
  });
  expect(problems).toEqual([]);
  await server.stop();
  await server.remove();
});
