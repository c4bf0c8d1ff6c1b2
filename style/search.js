// The palette: Ctrl+K or / opens a dialog that shows the hits of the search page.
{
let box, last = 0, wait
const links = () => all(".hits a", box)
const look = async (q, mine = ++last) => {
 try {
  const hits = one("#hits", await read(`${one("[data-search]").pathname}?q=${encodeURIComponent(q)}`))
  if (mine == last && hits) one("section", box).replaceChildren(hits)
 } catch {}
}
const open = () => {
 if (!box) {
  box = D.createElement("dialog")
  box.ariaLabel = "Search"
  box.innerHTML = '<form role="search"><input type="search" aria-label="Search" placeholder="Name, client ID, end of a secret, or a page" autocomplete="off"></form><section aria-live="polite"></section>'
  D.body.append(box)
  const input = one("input", box)
  box.oninput = () => {
   clearTimeout(wait)
   // No secret in an address: its end finds it.
   input.value = input.value.replace(/cs\w_\w{45}(\w{4})/, "$1")
   wait = setTimeout(look, 120, input.value)
  }
  box.onsubmit = async e => {
   e.preventDefault(clearTimeout(wait))
   await look(input.value)
   links()[0]?.click()
  }
  box.onkeydown = e => {
   const step = { ArrowDown: 1, ArrowUp: -1 }[e.key], all = [input, ...links()]
   if (!step) return
   e.preventDefault()
   all[(Math.max(all.indexOf(D.activeElement), 0) + step + all.length) % all.length].focus()
  }
  box.onclick = e => {
   if (e.target == box) box.close()
  }
 }
 const input = one("input", box)
 input.value = ""
 box.showModal()
 input.focus()
 look("")
}
listen("keydown", e => {
 if (!one("[data-search]") || one("dialog[open]")) return
 const typing = /INPUT|TEXTAREA|SELECT/.test(e.target.tagName)
 if (e.key == "k" && (e.ctrlKey || e.metaKey) || e.key == "/" && !typing && !e.ctrlKey && !e.altKey) {
  e.preventDefault()
  open()
 }
})
listen("click", e => {
 if (e.target.closest("[data-search]") && !e.ctrlKey && !e.metaKey) {
  e.preventDefault()
  open()
 }
})
}
