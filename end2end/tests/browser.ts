import { expect, test, type BrowserContext, type Page } from '@playwright/test';
import axe from 'axe-core';
import type { Countersign } from './countersign';

export const person = {
  name: 'Ada Lovelace',
  email: 'ada@example.com',
  password: 'tidal & münze 73% of/plus+1',
};

export const javaScript = () => test.info().project.use.javaScriptEnabled !== false;

/** Everything a page did that it must not do: break its own policy, fail, or call another host. */
export function watch(context: BrowserContext, server: Countersign): string[] {
  const problems: string[] = [];
  context.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      problems.push(message.text());
  });
  context.on('weberror', (error) => problems.push(String(error.error())));
  context.on('request', (request) => {
    if (!request.url().startsWith(`${server.url}/`)) problems.push(`asked ${request.url()}`);
  });
  context.on('response', (response) => {
    if (response.status() >= 400 && response.request().resourceType() !== 'document')
      problems.push(`${response.status()} for ${response.url()}`);
  });
  return problems;
}

export async function createAdministrator(page: Page, server: Countersign) {
  server.secret('password', person.password);
  await page.goto(server.setupLink);
  await page.getByLabel('Name', { exact: true }).fill(person.name);
  await page.getByLabel('Email').fill(person.email);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Create administrator' }).click();
  await expect(page).toHaveURL(`${server.url}/credentials/new`);
}

export async function signIn(page: Page, server: Countersign, password = person.password) {
  await page.goto(`${server.url}/login`);
  await page.getByLabel('Email').fill(person.email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Remembers the session's cookies as secrets. */
export async function rememberCookies(context: BrowserContext, server: Countersign) {
  const cookies = await context.cookies();
  expect(cookies.length).toBeGreaterThan(0);
  for (const { name, value, httpOnly } of cookies) {
    expect(httpOnly, `${name} is out of reach of scripts`).toBe(true);
    server.secret(`cookie ${name}`, value);
  }
}

export async function generate(page: Page, server: Countersign, name: string) {
  await page.goto(`${server.url}/credentials/new`);
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill(name);
  await page.getByRole('button', { name: 'Generate credentials' }).click();
  await expect(page.getByRole('heading', { name: 'Save your client secret' })).toBeVisible();
  const id = await page.getByRole('textbox', { name: 'Client ID' }).inputValue();
  const secret = await page.getByRole('textbox', { name: 'Client secret' }).inputValue();
  server.secret(`secret of ${name}`, secret);
  return { id, secret };
}

/** Presses what may be a link or a button. */
export function press(page: Page, name: string | RegExp) {
  return page.getByRole('button', { name, exact: true }).or(page.getByRole('link', { name, exact: true })).click();
}

/**
 * Judges the page as it stands: that it fits at every width, and what axe finds. Axe takes most of the time of these tests, so
 * it sees a page wide and light, narrow and dark, and without scripts wide and dark; not each way in each project.
 * `PICTURES=1` keeps a picture of the page wide and narrow, light and dark.
 */
export async function examine(page: Page, name: string) {
  await test.step(`examine ${name}`, async () => {
    const view = page.viewportSize()!;
    const judged = javaScript() ? page : await copyWithScripts(page);
    await judged.evaluate(axe.source);
    for (const width of [1280, 390, 320]) {
      await judged.setViewportSize({ width, height: 800 });
      const content = await judged.evaluate(() => document.documentElement.scrollWidth);
      expect.soft(content, `${name} fits ${width} pixels`).toBeLessThanOrEqual(width);
      for (const colorScheme of width === 320 ? [] : (['light', 'dark'] as const)) {
        await judged.emulateMedia({ colorScheme });
        if (process.env.PICTURES && javaScript())
          await page.screenshot({ path: `screenshots/${name}-${width}-${colorScheme}.png`, fullPage: true });
        const seen = javaScript() ? ['1280 light', '390 dark'] : ['1280 dark'];
        if (!seen.includes(`${width} ${colorScheme}`)) continue;
        const { violations } = await judged.evaluate(() => (globalThis as any).axe.run());
        const summary = violations.map((v: axe.Result) => `${v.id}: ${v.nodes.map((node) => node.html).join(' ')}`);
        expect.soft(summary, `${name} at ${width} pixels, ${colorScheme}`).toEqual([]);
      }
    }
    if (judged === page) {
      await page.emulateMedia({ colorScheme: null });
      await page.setViewportSize(view);
    } else {
      await judged.context().close();
    }
  });
}

/** Axe is a script: where scripts are off it judges the same document in a page that has them, less the page's own. */
async function copyWithScripts(page: Page): Promise<Page> {
  const html = (await page.content()).replace(/<\/?noscript>/g, '');
  const context = await page.context().browser()!.newContext({ javaScriptEnabled: true });
  await context.route('**/*', (route) => {
    const type = route.request().resourceType();
    if (type === 'document') return route.fulfill({ contentType: 'text/html', body: html });
    return type === 'script' ? route.abort() : route.continue();
  });
  const copy = await context.newPage();
  await copy.goto(page.url());
  return copy;
}
