// For the list of credentials: tools in each row, a filter while typing, and one tick for all rows.
{
const id = i => document.getElementById(i), one = (q, n) => n.querySelector(q), all = (q, n) => [...n.querySelectorAll(q)]
const equip = r => {
 const [copy, menu] = id("row-tools").content.cloneNode(true).children, a = one("a", r)
 copy.ariaLabel += a.text
 menu.firstElementChild.ariaLabel += a.text
 all("a", menu).map(l => l.href = a + l.hash.replace("#", "/"))
 one("code", r).after(copy)
 one("input", r) && r.cells[6].append(menu)
}
all("#list tbody tr", document).map(equip)
addEventListener("input", ({ target: t }) => {
 const { filter, all: f } = t.dataset
 filter && all("tbody tr", id(filter)).map(r => r.hidden = !one("th", r).textContent.toLowerCase().includes(t.value.toLowerCase()))
 f && all("tr:not([hidden]) input", id(f)).map(x => x.checked = t.checked)
})
}
