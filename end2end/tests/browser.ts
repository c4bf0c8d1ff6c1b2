import { readFileSync } from 'node:fs';
import { expect, test, type Browser, type BrowserContext, type Locator, type Page } from '@playwright/test';
import type { Result } from 'axe-core';
import type { Countersign } from './countersign';

export const person = {
  name: 'Ada Lovelace',
  email: 'ada@example.com',
  password: 'tidal & münze 73% of/plus+1',
};

const axeSource = readFileSync('node_modules/axe-core/axe.min.js', 'utf8');
type ColorScheme = 'light' | 'dark';

export const javaScript = () => test.info().project.use.javaScriptEnabled !== false;

/** Collects what a page must not do: break its own content security policy, fail, or call another host. */
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

/** Opens a page again until it shows `shown`: the server writes some things a moment after it has answered. */
export async function openUntil(open: () => Promise<unknown>, shown: Locator) {
  const isShown = async () => {
    await open();
    return shown.first().isVisible();
  };
  await expect.poll(isShown, { message: `${shown} is shown`, timeout: 30_000 }).toBe(true);
}

/** Presses the link or the button of this name. */
export function press(page: Page, name: string | RegExp) {
  return page.getByRole('button', { name, exact: true }).or(page.getByRole('link', { name, exact: true })).click();
}

/**
 * Judges the page as it stands: it must fit each width, and axe must find nothing wrong. Axe takes most of the time of
 * these tests, so it sees a page in three ways only: wide and light, narrow and dark, and, in the project without
 * JavaScript, wide and dark. `PICTURES=1` keeps pictures of the page: wide and narrow, light and dark.
 */
export async function examine(page: Page, name: string) {
  await test.step(`examine ${name}`, async () => {
    // After a click the next page may have arrived in part.
    await page.waitForLoadState();
    const view = page.viewportSize()!;
    const judged = javaScript() ? page : await copyWithScripts(page);
    const seenByAxe: Record<number, ColorScheme> = javaScript() ? { 1280: 'light', 390: 'dark' } : { 1280: 'dark' };
    await judged.evaluate(axeSource);
    for (const width of [1920, 1440, 1280, 1180, 1024, 940, 840, 768, 640, 390, 320]) {
      await judged.setViewportSize({ width, height: 800 });
      const content = await judged.evaluate(() => document.documentElement.scrollWidth);
      expect.soft(content, `${name} fits ${width} pixels`).toBeLessThanOrEqual(width);
      expect.soft(await outsideOfCards(judged), `${name} at ${width} pixels: nothing leaves its card`).toEqual([]);
      expect.soft(await outOfReach(judged), `${name} at ${width} pixels: no action needs scrolling sideways`).toEqual([]);
      expect.soft(await outOfSight(judged), `${name} at ${width} pixels: one sees which view is open`).toEqual([]);
      if (process.env.PICTURES && javaScript() && [1280, 390].includes(width)) await takePictures(page, `${name}-${width}`);
      const colorScheme = seenByAxe[width];
      if (!colorScheme) continue;
      await judged.emulateMedia({ colorScheme });
      expect.soft(await violations(judged), `${name} at ${width} pixels, ${colorScheme}`).toEqual([]);
    }
    if (judged !== page) return;
    await page.emulateMedia({ colorScheme: null });
    await page.setViewportSize(view);
  });
}

/**
 * What stands outside its card. What scrolls inside the card, floats over the page, or is for screen readers only, is
 * left out. On a phone the cells of a table stand below each other, so a table must not need to scroll there.
 */
function outsideOfCards(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const isStacked = matchMedia('(max-width: 44rem)').matches;
    const floats = (element: Element, card: Element) => {
      for (let at: Element | null = element; at && at !== card; at = at.parentElement) {
        const { position, overflowX, clipPath } = getComputedStyle(at);
        const scrolls = overflowX !== 'visible' && !(isStacked && at.matches('.scroll'));
        if (position === 'fixed' || clipPath !== 'none' || scrolls || at.matches('.menu > ul')) return true;
      }
      return false;
    };
    const outside = (card: Element) => {
      const edge = card.getBoundingClientRect();
      return [...card.querySelectorAll('*')].filter((element) => {
        const { left, right, width } = element.getBoundingClientRect();
        return width > 0 && (right > edge.right + 1 || left < edge.left - 1) && !floats(element, card);
      });
    };
    return [...document.querySelectorAll('.panel, dialog[open]')].flatMap(outside).map((element) => element.outerHTML.slice(0, 200));
  });
}

/** The actions and the states in tables and in rows of filters that one would have to scroll to, but on a phone. */
function outOfReach(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const rows = innerWidth < 640 ? [] : [...document.querySelectorAll('.scroll, .bar, .bulk')];
    const hidden = rows.flatMap((row) => {
      const edge = row.getBoundingClientRect().right + 0.5;
      const shown = [...row.querySelectorAll('a, button, summary, select, .chip')].filter((element) => !element.closest('.menu ul'));
      return shown.filter((element) => element.getBoundingClientRect().right > edge);
    });
    return hidden.map((element) => element.outerHTML.slice(0, 200));
  });
}

/** The open views and the filters in use that one would have to scroll to. */
function outOfSight(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const current = [...document.querySelectorAll('.views [aria-current], .pills > [aria-current], .pills summary[aria-current]')];
    const hidden = current.filter((link) => link.getBoundingClientRect().right > innerWidth);
    return hidden.map((link) => link.textContent!);
  });
}

/** What axe finds wrong. It also tells what is right: to send all that would take longer than to find it. */
function violations(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const { violations } = await (globalThis as any).axe.run({ resultTypes: ['violations'] });
    return violations.map((found: Result) => `${found.id}: ${found.nodes.map((node) => node.html).join(' ')}`);
  });
}

async function takePictures(page: Page, name: string) {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: `screenshots/${name}-${colorScheme}.png`, fullPage: true });
  }
}

/** For each browser a page with scripts. A new one for each document would take longer than axe. */
const copies = new WeakMap<Browser, { page: Page; show(html: string, url: string): Promise<unknown> }>();

/** Axe is a script. Where scripts are off, it judges a copy of the document in a page that runs no script but axe. */
async function copyWithScripts(original: Page): Promise<Page> {
  const browser = original.context().browser()!;
  let copy = copies.get(browser);
  if (!copy) {
    const context = await browser.newContext({ javaScriptEnabled: true });
    const page = await context.newPage();
    let body = '';
    await context.route('**/*', (route) => {
      const type = route.request().resourceType();
      if (type === 'document') return route.fulfill({ contentType: 'text/html', body });
      return type === 'script' ? route.abort() : route.continue();
    });
    copy = {
      page,
      show(html, url) {
        body = html;
        return page.goto(url);
      },
    };
    copies.set(browser, copy);
  }
  await copy.show((await original.content()).replace(/<\/?noscript>/g, ''), original.url());
  return copy.page;
}
