import { expect, test } from '@playwright/test';
import { createAdministrator, examine, javaScript, openUntil, press, watch } from './browser';
import { Countersign } from './countersign';

test('the overview leads from numbers to what was refused, and its checklist is dismissed', async ({ page, context }) => {
  test.slow();
  const server = await Countersign.start();
  const problems = watch(context, server);
  await createAdministrator(page, server);
  const { client_id, client_secret } = await server.createCredential('nightly-index');
  for (let round = 0; round < 3; round++) await server.accessToken(client_id, client_secret);
  await server.exchange(client_id, 'css_wrong');

  const chart = page.getByRole('region', { name: 'Exchanges' });
  const bar = chart.getByRole('link', { name: /: 3 exchanges, 1 refused/ });
  await openUntil(() => page.goto(`${server.url}/`), bar);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Overview');
  await expect(chart.getByText('1 refused: a wrong secret')).toBeVisible();

  await test.step('a bar shows its values with the focus, and under the pointer', async () => {
    const values = chart.locator('.plot a > text');
    expect(await values.evaluate((text) => getComputedStyle(text).opacity)).toBe('0');
    await bar.focus();
    expect(await values.evaluate((text) => getComputedStyle(text).opacity)).toBe('1');
    await page.getByRole('heading', { level: 1 }).click();
    await chart.locator('.plot a rect').first().hover();
    expect(await values.evaluate((text) => getComputedStyle(text).opacity)).toBe('1');
  });

  await test.step('the same values are in a table', async () => {
    await chart.getByText('Show as table').click();
    await expect(chart.getByRole('row')).toHaveCount(2);
    await expect(chart.getByRole('row').nth(1).getByRole('cell')).toHaveText(['3', '1']);
    await examine(page, 'overview-table');
  });

  await test.step('each period has one bar with these values', async () => {
    for (const period of ['7 d', '30 d', '90 d', '24 h']) {
      await chart.getByRole('navigation', { name: 'Period' }).getByRole('link', { name: period }).click();
      await expect(chart.getByRole('link', { name: period })).toHaveAttribute('aria-current', 'true');
      await expect(bar).toHaveCount(1);
    }
  });

  await test.step('a bar leads to the refused exchanges', async () => {
    await bar.focus();
    await page.keyboard.press('Enter');
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Refused exchanges');
    const row = page.getByRole('row', { name: /nightly-index/ });
    await expect(row).toContainText('Wrong secret');
    await examine(page, 'refusals');
    await row.getByRole('link', { name: 'nightly-index' }).click();
    await expect(page).toHaveURL(`${server.url}/credentials/${client_id}`);
  });

  await test.step('the use of a credential says what to do about a refusal', async () => {
    await page.goto(`${server.url}/credentials/${client_id}?view=usage`);
    await expect(page.getByRole('region', { name: 'Refused exchanges' })).toContainText('Compare the end of the secret');
    await examine(page, 'credential-usage');
  });

  await test.step('the checklist', async () => {
    await page.goto(`${server.url}/`);
    const list = page.getByRole('region', { name: 'Get ready for work' });
    await expect(list).toContainText('2 of 7 done');
    await press(page, 'I keep both elsewhere');
    await expect(list).toContainText('3 of 7 done');
    await press(page, 'Dismiss');
    await expect(list).toHaveCount(0);
    await expect(page.getByRole('status').filter({ hasText: 'Checklist dismissed' })).toBeVisible();
    await examine(page, 'overview-dismissed');
    await press(page, 'Show it again');
    await expect(list).toContainText('3 of 7 done');
  });

  expect(javaScript() ? problems : problems.filter((problem) => !problem.includes('script'))).toEqual([]);
  await server.stop();
});
