import { expect, test } from '@playwright/test';

// On other systems Chromium takes no fonts from fontconfig; there it uses those of the machine.
if (process.platform === 'linux')
  test('pages are drawn in the fonts of the tests, not of the machine', async ({ page }, { project }) => {
    const [sans, mono] = project.metadata.fonts;
    const stacks = { 'system-ui': sans, 'sans-serif': sans, 'Nimbus Sans, serif': sans, monospace: mono };
    const texts = Object.keys(stacks).map((stack) => `<p style="font-family: ${stack}">Letters, 123</p>`);
    await page.setContent(texts.join(''));
    const tools = await page.context().newCDPSession(page);
    await tools.send('DOM.enable');
    await tools.send('CSS.enable');
    const { root } = await tools.send('DOM.getDocument');
    const { nodeIds } = await tools.send('DOM.querySelectorAll', { nodeId: root.nodeId, selector: 'p' });
    const drawn = await Promise.all(nodeIds.map((nodeId) => tools.send('CSS.getPlatformFontsForNode', { nodeId })));
    expect(drawn.map(({ fonts }) => fonts.map(({ familyName }) => familyName))).toEqual(
      Object.values(stacks).map((family) => [family]),
    );
  });
