// For pages with values that are shown once: masks them, copies a value and not its mask, warns before one is lost.
{
const text = n => n.value ?? n.textContent
R.mask = ""
// The values that are neither copied nor stored. Without one of them the page cannot be left unasked.
let lost = new Set
const keep = t => lost.forEach(v => t.includes(v) && lost.delete(v))
const show = on => all("[data-secret]").map(n => {
 n.toggleAttribute("data-shown", on)
 all("[data-unmask]").map(b => {
  const word = b.firstElementChild
  word.textContent = (on ? "Hide" : "Show") + word.textContent.slice(4)
 })
})
ready(() => {
 lost = new Set(all("[data-guard] :is([data-secret]:not([data-all]), [data-once])").map(text))
 id("csv") && (one("[download]").href = URL.createObjectURL(new Blob([id("csv").value])))
})
listen("beforeunload", e => lost.size && e.preventDefault())
listen("click", e => {
 e.target.closest("[data-stored]") && lost.clear()
 e.target.closest("[data-unmask]") && show(!one("[data-shown]"))
})
listen("copied", e => keep(e.detail))
// A copy button did not work: the person copies by hand and sees what.
listen("show", () => show(1))
// The browser would put the mask's bullets on the clipboard. The selection is read while nothing is masked.
const unmasked = data => {
 const f = D.activeElement, from = f.selectionStart
 delete R.mask
 const t = from < f.selectionEnd ? f.value.slice(from, f.selectionEnd) : `${getSelection()}`
 R.mask = ""
 t && data.setData("text/plain", t)
 return t
}
listen("copy", e => {
 const t = one("[data-secret]") && unmasked(e.clipboardData)
 t && keep(t, e.preventDefault())
})
// A test of the secret: the answer to the form shows it again, but a page that stays cannot lose it.
listen("submit", async e => {
 const f = e.target, b = one("button", f), slot = id("result")
 if (!f.matches("[data-inplace]")) return
 e.preventDefault(b.disabled = true)
 slot.textContent = "Testing…"
 try {
  const html = await read(f.action, { method: "POST", body: new URLSearchParams(new FormData(f)), redirect: "error" })
  slot.replaceChildren(...one("#result", html).childNodes)
  delete b.dataset.kind
 } catch {
  slot.textContent = "No result: the server did not answer, or your session ended. The secret is still on this page."
 }
 b.disabled = false
})
listen("dragstart", e => e.target.href || !one("[data-secret]") || unmasked(e.dataTransfer))
}
