import { chromium } from 'playwright'
import { readFileSync } from 'node:fs'
const url = 'http://127.0.0.1:8461'
const id = n => readFileSync(`/tmp/obj/id.${n}`, 'utf8').trim()
const b = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
const pages = eval(process.argv[2])
const views = (process.argv[3] || '1440l').split(',')
const c = await b.newContext({ viewport: { width: 1440, height: 900 } })
const p = await c.newPage()
await p.goto(url + '/login')
await p.getByLabel('Email').fill('ada@example.com'); await p.getByLabel('Password').fill('tidal & münze 73% of/plus+1')
await p.getByRole('button', { name: 'Sign in' }).click(); await p.waitForURL(u => !u.pathname.startsWith('/login'))
for (const [n, path, act] of pages) for (const v of views) {
  await p.setViewportSize({ width: parseInt(v), height: v.startsWith('390') ? 844 : 900 })
  await p.emulateMedia({ colorScheme: v.endsWith('d') ? 'dark' : 'light' })
  const r = await p.goto(url + path); if (r.status() != 200) console.log(n, r.status())
  if (act) await act(p)
  const over = await p.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  if (over > 0) console.log(n, v, 'overflows', over)
  await p.screenshot({ path: `/tmp/obj/${n}-${v}.png`, fullPage: true })
}
await b.close()
