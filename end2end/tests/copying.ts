import { expect, test, type Locator, type Page } from '@playwright/test';
import { javaScript } from './browser';

/** Whether the browser would ask before it leaves the page. */
export const isGuarded = (page: Page) => page.evaluate(() => !dispatchEvent(new Event('beforeunload', { cancelable: true })));

/** What the person reads in the field: the value, or the dots of its mask. */
const isMasked = (field: Locator) =>
  field.evaluate((node) => getComputedStyle(node).getPropertyValue('-webkit-text-security') !== 'none');

/** What the browser lets a page do: everything, only the old command, or nothing. */
async function allow(page: Page, what: 'everything' | 'command' | 'nothing') {
  await page.evaluate((what) => {
    const all = globalThis as any;
    all.clipboard ||= navigator.clipboard;
    const refusing = { writeText: () => Promise.reject(new DOMException('no', 'NotAllowedError')) };
    const clipboard = { everything: all.clipboard, command: undefined, nothing: refusing }[what];
    Object.defineProperty(navigator, 'clipboard', { value: clipboard, configurable: true });
    if (what === 'nothing') document.execCommand = () => false;
    else delete (document as any).execCommand;
    return all.clipboard.writeText('nothing');
  }, what);
}

const clipboard = (page: Page): Promise<string> => page.evaluate(() => (globalThis as any).clipboard.readText());
const status = (page: Page) => page.locator('#announce');

/**
 * Copies a value that is shown once in each way there is, also where the browser refuses. The clipboard must hold the
 * value and never its mask, and the page must not say "Copied" when it does not.
 */
export async function copyInEachWay(page: Page, button: string, field: Locator, { guarded = true } = {}) {
  if (!javaScript()) return;
  await test.step(`copy: ${button}`, async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    const value = await field.evaluate((node: HTMLInputElement) => node.value ?? node.textContent);
    const press = page.getByRole('button', { name: button, exact: true });
    await allow(page, 'nothing');
    expect(await isGuarded(page), 'the page is guarded').toBe(guarded);

    await field.focus();
    await field.evaluate((node: HTMLInputElement) => {
      if (node.select) return node.setSelectionRange(2, 9);
      const range = document.createRange();
      const text = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
      while (text.nextNode()!.nodeValue!.length < 9);
      range.setStart(text.currentNode, 2);
      range.setEnd(text.currentNode, 9);
      getSelection()!.removeAllRanges();
      getSelection()!.addRange(range);
    });
    await page.keyboard.press('Control+C');
    expect(await clipboard(page), 'a part that was selected').toBe(value.slice(2, 9));
    expect(await isGuarded(page), 'a part is not enough').toBe(guarded);

    await allow(page, 'nothing');
    await press.click();
    await expect(status(page)).toHaveText('Not copied. Press Ctrl+C');
    expect(await clipboard(page)).toBe('nothing');
    await expect(field).toBeFocused();
    expect(await isMasked(field), 'it is shown, to be copied by hand').toBe(false);
    expect(await isGuarded(page), 'it is not copied yet').toBe(guarded);
    await page.keyboard.press('Control+C');
    expect((await clipboard(page)).trim(), 'copied by hand').toBe(value.trim());
    await expect(status(page)).toHaveText('Copied');
    expect(await isGuarded(page)).toBe(false);
    // Its name says "Copied" for a moment.
    await expect(press).toBeVisible();

    for (const what of ['command', 'everything'] as const) {
      await allow(page, what);
      await press.click();
      await expect.poll(() => clipboard(page), { message: what }).toBe(value);
      await expect(status(page)).toHaveText('Copied');
      await expect(press).toBeVisible();
    }
  });
}
