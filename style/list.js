// Lists of credentials: a tick for all. The list of all credentials: tools in each row, a search while typing.
listen("change", ({ target: t }) => {
 const rows = all("#bulk tbody input")
 t.id == "all" && rows.map(x => x.checked = t.checked)
 t.matches("#filters select") && t.form.submit()
 rows[0] && (id("ticked").textContent = rows.filter(x => x.checked).length + " selected")
})
ready(() => {
if (!id("found")) return
let wait
const equip = () => all("#list tbody tr").map(r => {
 const tools = [...id("row-tools").content.cloneNode(true).children]
 tools.map(b => b.ariaLabel += one("a", r).text)
 one("code", r).after(tools[0])
 r.dataset.can && r.lastElementChild.append(tools[1])
})
const look = async f => {
 const address = () => `${f.action}?${new URLSearchParams(new FormData(f))}`, u = address(), page = await read(u)
 if (u != address()) return
 id("found").replaceWith(one("#found", page))
 history.replaceState(0, "", u)
 say(id("total").textContent)
 equip()
}
listen("input", ({ target: t }) => {
 if (t.id != "q") return
 // No secret in an address: its end finds it.
 t.value = t.value.replace(/cs\w_\w{45}(\w{4})/, "$1")
 clearTimeout(wait)
 wait = setTimeout(look, 250, t.form)
})
const opener = t => t.closest("[popovertarget=row-menu]")
listen("click", ({ target }) => {
 const b = opener(target), m = id("row-menu"), r = b?.closest("tr")
 if (!b) return
 all("a", m).map(l => {
  l.parentNode.hidden = !r.dataset.can.includes(l.dataset.do)
  l.href = l.dataset.to.replace("%2A", one("a", r).pathname.split("/")[2])
 })
 // It opens upwards only where it would leave the window: six lines are 228 pixels high.
 const { top, bottom, right } = b.getBoundingClientRect(), up = bottom + 228 > innerHeight && top > 228
 m.style = `inset: ${up ? top : bottom}px ${innerWidth - right}px auto auto; translate: 0 ${up * -100}%`
})
listen("keydown", e => {
 const b = opener(e.target), m = id("row-menu"), step = { ArrowDown: 1, ArrowUp: -1 }[e.key]
 if (!step || !b && !m.contains(e.target)) return
 e.preventDefault()
 b && !m.matches(":popover-open") && b.click()
 const l = all("li:not([hidden]) a", m), i = l.indexOf(e.target)
 l.at(i < 0 ? Math.min(step, 0) : (i + step) % l.length).focus()
})
equip()
})
