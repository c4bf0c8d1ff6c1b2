// Makes a key pair in the browser and reads key files. The private half is offered as a download and sent nowhere.
{
let lost
const tell = t => id("key-status").textContent = t
const kinds = {
 ES256: { name: "ECDSA", namedCurve: "P-256" },
 RS256: { name: "RSASSA-PKCS1-v1_5", modulusLength: 3072, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" },
 EdDSA: { name: "Ed25519" }
}
const pem = (label, der) => `-----BEGIN ${label}-----\n${btoa(String.fromCharCode(...new Uint8Array(der))).match(/.{1,64}/g).join("\n")}\n-----END ${label}-----\n`
const generate = async () => {
 // Browsers have no cryptography on pages that others may have changed.
 if (!crypto.subtle) return tell("This needs https, or localhost. Use the openssl commands.")
 try {
  const pair = await crypto.subtle.generateKey(kinds[id("key-kind").value], true, ["sign", "verify"])
  const [hidden, open] = await Promise.all([crypto.subtle.exportKey("pkcs8", pair.privateKey), crypto.subtle.exportKey("spki", pair.publicKey)])
  id("public_key").value = pem("PUBLIC KEY", open)
  const link = id("private-key")
  link.href = URL.createObjectURL(new Blob([pem("PRIVATE KEY", hidden)], { type: "application/x-pem-file" }))
  link.hidden = false
  lost = 1
  tell("Key pair generated. Download the private key now: only this page has it.")
 } catch { tell("This browser does not make keys of this kind. Choose another one.") }
}
listen("click", e => {
 if (e.target.closest("#generate-key")) generate()
 if (e.target.closest("#private-key")) lost = 0
})
listen("beforeunload", e => lost && e.preventDefault())
listen("change", async e => {
 if (e.target.id != "key-file") return
 const text = await e.target.files[0]?.text() || ""
 e.target.value = ""
 if (/PRIVATE KEY|"d"\s*:/.test(text)) return tell("This file holds a private key. It was not read in; choose the public one.")
 id("public_key").value = text
 lost = 0
 tell("The file was read.")
})
}
