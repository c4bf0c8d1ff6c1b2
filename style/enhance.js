// The files of the script are one script: they share these.
const D = document, R = D.documentElement.dataset, listen = addEventListener, id = i => D.getElementById(i)
const one = (q, n = D) => n.querySelector(q), all = (q, n = D) => [...n.querySelectorAll(q)]
const say = t => id("announce").textContent = t, ready = f => listen("DOMContentLoaded", f)
// The document that the address gives.
const read = async (u, o) => new DOMParser().parseFromString(await (await fetch(u, o)).text(), "text/html")
{
const name = (b, t) => b.ariaLabel || ((one("span", b) || b).textContent = t)
let theme = "", byHand
R.script = ""
try { theme = localStorage.theme || "" } catch {}
const paint = () => {
 R.theme = theme
 all("[data-shade]").map(b => name(b, "Theme: " + (theme || "system")))
}
const on = {
 async copy(b) {
  const n = id(b.dataset.copy) || b.previousSibling, text = n.value ?? n.textContent, d = b.dataset
  d.label ||= b.textContent.trim() || " "
  let done
  const give = e => {
   done = !e.clipboardData.setData("text/plain", text)
   e.preventDefault(e.stopPropagation())
  }
  const finish = () => {
   say("Copied", name(b, "Copied"), byHand = 0, d.copied = "")
   setTimeout(() => {
    "copied" in d && name(b, d.label)
    delete d.copied
    // Another button may have said something since.
    id("announce").textContent == "Copied" && say("")
   }, 2e3)
   n.dispatchEvent(new CustomEvent("copied", { bubbles: true, detail: text }))
  }
  try { await navigator.clipboard.writeText(text) } catch {
   // Plain HTTP has no clipboard. This way needs a selection, and nothing selects what is folded away.
   n.parentNode.open = 1
   n.focus()
   n.select ? n.select() : getSelection().selectAllChildren(n)
   listen("copy", give, true)
   const did = D.execCommand("copy")
   removeEventListener("copy", give, true)
   if (!did || !done) {
    n.dispatchEvent(new Event("show", { bubbles: true }))
    byHand = (f = D.activeElement) => {
     const chosen = f.select ? f.value.slice(f.selectionStart, f.selectionEnd) : `${getSelection()}`
     chosen.trim() == text.trim() && finish()
    }
    const t = `Not copied. Press ${/Mac/.test(navigator.platform) ? "⌘" : "Ctrl+"}C`
    return say(t, name(b, t), delete d.copied)
   }
   b.focus()
  }
  finish()
 },
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
listen("copy", () => byHand && byHand())
listen("keydown", e => e.ctrlKey && e.key == "Enter" && e.target.form?.requestSubmit())
const units = [["year", 315e5, 63e6], ["month", 263e4, 105e5], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1, 0]]
const times = () => all("time:not([data-at])").map(t => {
 const s = (new Date(t.dateTime) - new Date) / 1e3, [u, n] = units.find(([, n, min = n]) => Math.abs(s) >= min)
 t.textContent = new Intl.RelativeTimeFormat("en").format(Math.round(s / n), u)
})
const poll = (p, left, d = p.dataset) => setTimeout(async () => {
 try {
  if (!D.hidden && await (await fetch(d.poll)).json() === true) return say(p.textContent = d.done, d.tone = "ok")
 } catch {}
 left && poll(p, left - 1)
}, 2e3)
ready(() => {
 paint()
 times()
 setInterval(times, 9e3)
 all("[data-poll]").map(p => poll(p, 450))
})
paint()
}
