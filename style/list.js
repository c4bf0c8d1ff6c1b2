// The list of credentials: tools in each row, a tick for all, a search while typing.
{
const D = document, id = i => D.getElementById(i), one = (q, n = D) => n.querySelector(q), all = (q, n = D) => [...n.querySelectorAll(q)]
let wait
const equip = () => all("#list tbody tr").map(r => {
 const [copy, more] = id("row-tools").content.cloneNode(true).children, n = one("a", r).text
 copy.ariaLabel += n
 more.ariaLabel += n
 one("code", r).after(copy)
 r.dataset.can && r.lastElementChild.append(more)
})
const look = async f => {
 const u = `${f.action}?${new URLSearchParams(new FormData(f))}`, p = await (await fetch(u)).text(), d = new DOMParser().parseFromString(p, "text/html")
 if (u != `${f.action}?${new URLSearchParams(new FormData(f))}`) return
 id("found").replaceWith(one("#found", d))
 history.replaceState(0, "", u)
 id("announce").textContent = id("total").textContent
 equip()
}
addEventListener("input", ({ target: t }) => {
 if (t.id != "q") return
 // A secret does not belong in an address: its end finds it.
 t.value = t.value.replace(/css_\w{45}(\w{4})/, "$1")
 clearTimeout(wait)
 wait = setTimeout(look, 250, t.form)
})
addEventListener("change", ({ target: t }) => {
 const rows = all("#list tbody input")
 t.id == "all" && rows.map(x => x.checked = t.checked)
 t.matches("#filters select") && t.form.submit()
 id("ticked").textContent = `${rows.filter(x => x.checked).length} selected`
})
const opener = t => t.closest("[popovertarget=row-menu]")
addEventListener("click", ({ target: t }) => {
 const b = opener(t), m = id("row-menu")
 if (!b) return
 const r = b.closest("tr"), { top, bottom, right } = b.getBoundingClientRect()
 all("a", m).map(l => {
  l.parentNode.hidden = !r.dataset.can.includes(l.dataset.do)
  l.href = (l.dataset.to ||= l.getAttribute("href")).replace("%2A", one("a", r).pathname.split("/")[2])
 })
 m.style.inset = (top * 2 > innerHeight ? `auto X ${innerHeight - top}px` : `${bottom}px X auto`).replace("X", `${innerWidth - right}px`) + " auto"
})
addEventListener("keydown", e => {
 const b = opener(e.target), m = id("row-menu"), step = { ArrowDown: 1, ArrowUp: -1 }[e.key]
 if (!step || !b && !m?.contains(e.target)) return
 e.preventDefault()
 b && !m.matches(":popover-open") && b.click()
 const l = all("li:not([hidden]) a", m), i = l.indexOf(e.target)
 l.at(i < 0 ? Math.min(step, 0) : (i + step) % l.length).focus()
})
equip()
}
