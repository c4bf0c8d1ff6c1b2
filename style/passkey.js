// Asks the browser for a passkey and sends its answer with the form. Without this script, or where there are no
// passkeys, the password and a code do.
{
const bytes = t => Uint8Array.from(atob(t.replace(/[-_]/g, c => c == "-" ? "+" : "/")), c => c.charCodeAt())
const text = b => btoa(String.fromCharCode(...new Uint8Array(b))).replace(/[+/=]/g, c => ({ "+": "-", "/": "_" })[c] || "")
const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]
const ask = async b => {
 const { form } = b, tell = t => b.parentNode.querySelector("[role=status]").textContent = t
 // The passkey stands in for what is asked for beside it.
 b.closest("[data-proof]")?.querySelectorAll("input").forEach(i => i.required = false)
 if (!form.reportValidity()) return
 tell("")
 try {
  const answer = await fetch(b.dataset.passkey, { headers: { accept: "application/json" } })
  if (!answer.ok) return tell("This page is too old. Reload it and try again.")
  const { options, state } = await answer.json()
  options.challenge = bytes(options.challenge)
  for (const c of [...options.allowCredentials || [], ...options.excludeCredentials || []]) c.id = bytes(c.id)
  if (options.user) options.user.id = bytes(options.user.id)
  const { id, type, response } = await navigator.credentials[options.user ? "create" : "get"]({ publicKey: options })
  const packed = parts.filter(k => response[k]).map(k => [k, text(response[k])])
  form.elements.passkey_state.value = state
  form.elements.passkey_answer.value = JSON.stringify({ id, rawId: id, type, response: Object.fromEntries(packed) })
  form.requestSubmit(form.querySelector("button:not([type=button])"))
 } catch (e) {
  tell(e.name == "InvalidStateError" ? "This device has a passkey of yours already." : "Your browser gave no passkey. Try again.")
 }
}
ready(() => {
 if (!window.PublicKeyCredential) return
 all("[data-passkeys]").map(n => n.hidden = false)
})
listen("click", e => {
 const b = e.target.closest("[data-passkey]")
 b && ask(b)
})
}
