{
const D = document, R = D.documentElement.dataset, listen = addEventListener, id = i => D.getElementById(i)
const one = (q, n = D) => n.querySelector(q), all = (q, n = D) => [...n.querySelectorAll(q)]
const say = t => id("announce").textContent = t
const name = (b, t) => b.ariaLabel || ((one("span", b) || b).textContent = t)
let theme = "", guard
R.script = ""
try { theme = localStorage.theme || "" } catch {}
const paint = () => {
 R.theme = theme
 all("[data-shade]").map(b => name(b, "Theme: " + (theme || "system")))
}
const on = {
 async copy(b) {
  const n = id(b.dataset.copy) || b.previousSibling, old = b.dataset.copied ||= b.textContent.trim() || " "
  // Plain HTTP has no clipboard.
  try { await navigator.clipboard.writeText(n.value ?? n.textContent) } catch {
   n.select ? n.select() : getSelection().selectAllChildren(n)
   if (!D.execCommand("copy")) return say("Selected. Press Ctrl+C")
  }
  if (one("[data-secret]", n.parentNode)) guard = 0
  say("Copied", name(b, "Copied"))
  setTimeout(() => say("", name(b, old), delete b.dataset.copied), 2e3)
 },
 unmask(b) {
  all("[data-secret]").map(n => name(b, (n.toggleAttribute("data-shown") ? "Hide" : "Show") + b.textContent.slice(4)))
 },
 stored: () => guard = 0,
 shade() {
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
 all(".menu[open]").map(m => m.open = m.contains(e.target))
})
listen("beforeunload", e => guard && e.preventDefault())
const units = [["year", 315e5, 63e6], ["month", 263e4, 105e5], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1, 0]]
const times = () => all("time").map(t => {
 const s = (new Date(t.dateTime) - new Date) / 1e3, [u, n] = units.find(([, n, min = n]) => Math.abs(s) >= min)
 t.textContent = new Intl.RelativeTimeFormat("en").format(Math.round(s / n), u)
})
const poll = (p, left, d = p.dataset) => setTimeout(async () => {
 try {
  if (!D.hidden && await (await fetch(d.poll)).json() === true) return say(p.textContent = d.done, d.tone = "ok")
 } catch {}
 left && poll(p, left - 1)
}, 2e3)
const equip = r => {
 const [copy, menu] = id("row-tools").content.cloneNode(true).children, a = one("a", r)
 copy.ariaLabel += a.text
 menu.firstElementChild.ariaLabel += a.text
 all("a", menu).map(l => l.href = a + l.hash.replace("#", "/"))
 one("code", r).after(copy)
 one("input", r) && r.cells[6].append(menu)
}
listen("DOMContentLoaded", () => {
 guard = one("[data-guard]")
 paint()
 all("#list tbody tr").map(equip)
 times()
 setInterval(times, 9e3)
 all("[data-poll]").map(p => poll(p, 450))
})
listen("input", ({ target: t }) => {
 const { filter, all: f } = t.dataset
 filter && all("tbody tr", id(filter)).map(r => r.hidden = !one("th", r).textContent.toLowerCase().includes(t.value.toLowerCase()))
 f && all("tr:not([hidden]) input", id(f)).map(x => x.checked = t.checked)
})
paint()
}
