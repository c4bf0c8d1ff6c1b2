// Runs before the first paint.
(() => {
const D = document, R = D.documentElement.dataset, all = q => D.querySelectorAll(q), listen = addEventListener, id = i => D.getElementById(i)
const say = t => id("announce").textContent = t
const name = (b, t) => (b.querySelector("span") || b).textContent = t
let theme = "", guard
R.script = ""
try { theme = localStorage.theme || "" } catch {}
const paint = () => {
 theme ? R.theme = theme : delete R.theme
 all("[data-theme-switch]").forEach(b => name(b, "Theme: " + (theme || "system")))
}
const on = {
 async copy(b) {
  const n = id(b.dataset.copy)
  // Plain HTTP has no clipboard.
  try { await navigator.clipboard.writeText(n.value ?? n.textContent) } catch {
   n.select ? n.select() : getSelection().selectAllChildren(n)
   if (!D.execCommand("copy")) return say("Selected. Press Ctrl+C")
  }
  if (n.parentNode.querySelector("[data-secret]")) guard = 0
  say("Copied")
  const old = b.dataset.copied ||= b.textContent.trim()
  name(b, "Copied")
  setTimeout(() => say("", name(b, old), delete b.dataset.copied), 2e3)
 },
 unmask(b) {
  const show = !("shown" in id(b.dataset.unmask).dataset)
  all("[data-secret]").forEach(n => n.toggleAttribute("data-shown", show))
  name(b, (show ? "Hide" : "Show") + " client secret")
 },
 stored: () => guard = 0,
 "theme-switch"() {
  theme = { "": "light", light: "dark" }[theme] || ""
  try { localStorage.theme = theme } catch {}
  paint()
 }
}
listen("click", e => {
 for (const k in on) {
  const b = e.target.closest(`[data-${k}]`)
  b && on[k](b)
 }
 all(".menu[open]").forEach(m => m.open = m.contains(e.target))
})
listen("beforeunload", e => guard && e.preventDefault())
// Expiry stays in days for long.
const units = [["year", 315e5, 63e6], ["month", 263e4, 105e5], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1, 0]]
const rel = new Intl.RelativeTimeFormat("en")
const times = () => all("time[data-relative]").forEach(t => {
 const d = new Date(t.dateTime), s = (d - new Date) / 1e3, [u, n] = units.find(([, n, min = n]) => Math.abs(s) >= min)
 t.textContent = rel.format(Math.round(s / n), u)
 t.title ||= d.toUTCString()
})
const poll = (p, end) => setTimeout(async () => {
 try {
  const r = !D.hidden && await fetch(p.dataset.poll, { headers: { Accept: "application/json" } })
  if (r && await r.json() === true) return say(p.textContent = p.dataset.done, p.dataset.tone = "ok")
 } catch {}
 if (Date.now() < end) poll(p, end)
}, 2e3)
paint()
listen("DOMContentLoaded", () => {
 guard = all("[data-guard]")[0]
 paint()
 times()
 setInterval(times, 9e3)
 all("[data-error-summary]")[0]?.focus()
 all("[data-poll]").forEach(p => poll(p, Date.now() + 9e5))
})
listen("input", ({ target: t }) => {
 const { filter, selectAll: f } = t.dataset
 if (filter) for (const r of id(filter).tBodies[0].rows) r.hidden = !r.textContent.toLowerCase().includes(t.value.toLowerCase())
 if (f) for (const x of id(f).elements) if (!x.closest("[hidden]")) x.checked = t.checked
})
})()
