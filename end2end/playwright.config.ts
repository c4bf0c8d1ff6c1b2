import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { defineConfig } from '@playwright/test';

const debian = '/usr/bin/chromium';
/** Tests that open no browser. */
const programs = [
  'clients.spec.ts', 'conformance.spec.ts', 'documents.spec.ts', 'gateway.spec.ts', 'interactive.spec.ts',
  'interoperability.spec.ts', 'matrix.spec.ts', 'products.spec.ts',
];
const browser = process.env.CHROMIUM ?? (existsSync(debian) ? debian : undefined);

/** Chromium that sees the fonts of `fonts/NAME.conf` alone: a text is as wide on every machine. */
const chromium = (name: string) => ({
  executablePath: browser,
  env: { ...process.env, FONTCONFIG_FILE: resolve(`fonts/${name}.conf`) },
  args: [
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    '--disable-gpu',
    // This machine under a name that is not localhost: over http, browsers give such pages no clipboard.
    '--host-resolver-rules=MAP countersign.test 127.0.0.1',
    '--disable-quic',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});

/** Every page is judged in both: in letters as wide as Arial's or Liberation's, and in wide ones. */
const arimo = { metadata: { fonts: ['Arimo', 'Cousine'] }, use: { launchOptions: chromium('arimo') } };
const dejavu = {
  metadata: { fonts: ['DejaVu Sans', 'DejaVu Sans Mono'] },
  use: { launchOptions: chromium('dejavu') },
};

export default defineConfig({
  testDir: 'tests',
  outputDir: 'test-results',
  workers: 2,
  timeout: 300_000,
  expect: { timeout: 15_000 },
  forbidOnly: !!process.env.CI,
  reporter: [['list'], ['./interoperability.ts']],
  use: {
    // Long before the test's own end, so that the report names the action and what stood in its way.
    actionTimeout: 60_000,
    navigationTimeout: 60_000,
    viewport: { width: 1280, height: 800 },
    // Axe must not judge a colour halfway through a transition.
    contextOptions: { reducedMotion: 'reduce' },
  },
  projects: [
    { ...arimo, name: 'with JavaScript', testIgnore: programs },
    {
      ...dejavu,
      name: 'without JavaScript',
      testIgnore: programs,
      // `@once` takes long, and a browser without scripts changes nothing in it.
      grepInvert: /@scripts|@once/,
      use: { ...dejavu.use, javaScriptEnabled: false },
    },
    // These pages need JavaScript, so the project above does not show them in its font.
    { ...dejavu, name: 'passkeys in the other font', testMatch: 'passkeys.spec.ts' },
    { name: 'clients', testMatch: programs },
  ],
});
