import { existsSync } from 'node:fs';
import { defineConfig } from '@playwright/test';

const debian = '/usr/bin/chromium';
/** Tests that open no browser. */
const programs = ['clients.spec.ts', 'conformance.spec.ts', 'documents.spec.ts', 'interactive.spec.ts', 'matrix.spec.ts'];
const browser = process.env.CHROMIUM ?? (existsSync(debian) ? debian : undefined);

export default defineConfig({
  testDir: 'tests',
  outputDir: 'test-results',
  workers: 2,
  timeout: 120_000,
  expect: { timeout: 15_000 },
  forbidOnly: !!process.env.CI,
  reporter: 'list',
  use: {
    viewport: { width: 1280, height: 800 },
    // Axe must not judge a colour halfway through a transition.
    contextOptions: { reducedMotion: 'reduce' },
    launchOptions: {
      executablePath: browser,
      args: [
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        '--disable-gpu',
        '--disable-quic',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
  projects: [
    { name: 'with JavaScript', testIgnore: programs },
    {
      name: 'without JavaScript',
      testIgnore: programs,
      grepInvert: /@scripts/,
      use: { javaScriptEnabled: false },
    },
    { name: 'clients', testMatch: programs },
  ],
});
