// What a person does in a browser, by HTTP alone: opens an address, signs in where asked, allows the client, and is
// sent back to it.
import { pathToFileURL } from 'node:url';

const text = (html) =>
  html
    .replaceAll('&quot;', '"')
    .replaceAll('&#x27;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');

/** The hidden fields of the form on the page whose action is `action`. */
function hidden(html, action) {
  const form = html.slice(html.indexOf(`action="${action}"`));
  const fields = new URLSearchParams();
  for (const [input] of form.slice(0, form.indexOf('</form>')).matchAll(/<input[^>]*type="hidden"[^>]*>/g))
    fields.set(text(/name="([^"]*)"/.exec(input)[1]), text(/value="([^"]*)"/.exec(input)[1]));
  return fields;
}

/** Opens an authorization request, allows it, and returns the address that the person is sent to. */
export async function allow(address, { email, password }) {
  const { origin } = new URL(address);
  const cookies = new Map();
  const open = async (url, fields) => {
    const headers = { Cookie: [...cookies].map((pair) => pair.join('=')).join('; '), Accept: 'text/html' };
    if (fields) headers['Sec-Fetch-Site'] = 'same-origin';
    const answer = await fetch(url, { method: fields ? 'POST' : 'GET', body: fields, headers, redirect: 'manual' });
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      cookies.set(name, value);
    }
    return answer;
  };
  let answer = await open(address);
  for (let step = 0; step < 10; step++) {
    const location = answer.headers.get('location');
    if (location) {
      const next = new URL(location, origin);
      if (next.origin !== origin) return next.href;
      answer = await open(next);
      continue;
    }
    const html = await answer.text();
    if (html.includes('value="allow"')) {
      const fields = hidden(html, '/mcp/oauth/authorize');
      fields.set('decision', 'allow');
      answer = await open(new URL('/mcp/oauth/authorize', origin), fields);
    } else if (html.includes('action="/login"')) {
      const fields = hidden(html, '/login');
      fields.set('email', email);
      fields.set('password', password);
      answer = await open(new URL('/login', origin), fields);
    } else throw new Error(`${answer.status}: ${html}`);
  }
  throw new Error('redirected in a circle');
}

// Started as a program, this file is the browser that a client opens.
if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const person = { email: process.env.PERSON_EMAIL, password: process.env.PERSON_PASSWORD };
  await fetch(await allow(process.argv[2], person));
}
