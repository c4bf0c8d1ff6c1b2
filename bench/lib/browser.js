import { request } from 'node:http';
import { BenchError } from './processes.js';

/**
 * Signs in through the form as a browser without JavaScript does; resolves to a function that fetches a page, whose
 * `submit` sends the form of a page.
 */
export async function signIn(origin, email, password) {
  const cookies = new Map();

  async function send(method, path, headers, body) {
    // fetch() would add `Sec-Fetch-Mode: cors`, which no form post carries.
    const answer = await new Promise((resolve, reject) => {
      request(origin + path, { method, headers: { Accept: 'text/html', Cookie: cookieHeader(cookies), ...headers } }, resolve)
        .on('error', reject)
        .end(body);
    });
    for (const cookie of answer.headers['set-cookie'] ?? []) {
      const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/);
      cookies.set(name, value);
    }
    const chunks = [];
    for await (const chunk of answer) chunks.push(chunk);
    return { status: answer.statusCode, html: Buffer.concat(chunks) };
  }

  async function page(path) {
    const { status, html } = await send('GET', path, {});
    if (status !== 200) throw new BenchError(`GET ${path} answered ${status}.`);
    return html;
  }

  const form = findForm(`${await page('/login')}`, 'password');
  form.fields.set(form.nameOf('email'), email);
  form.fields.set(form.nameOf('password'), password);
  await post(form.action ?? '/login', form.fields);
  page.submit = async (path, action, values) => {
    const form = findForm(`${await page(path)}`, 'text', action);
    for (const [name, value] of Object.entries(values)) form.fields.set(name, value);
    await post(action, form.fields);
  };
  return page;

  async function post(action, fields) {
    const headers = {
      'Content-Type': 'application/x-www-form-urlencoded',
      Origin: origin,
      'Sec-Fetch-Site': 'same-origin',
      'Sec-Fetch-Mode': 'navigate',
      'Sec-Fetch-Dest': 'document',
    };
    const { status } = await send('POST', action, headers, `${fields}`);
    if (status !== 303 && status !== 302) throw new BenchError(`POST ${action} answered ${status}.`);
  }
}

const cookieHeader = (cookies) => [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');

/**
 * The first form that holds an input of this type, and has this action if one is given, with its hidden fields filled
 * in.
 */
function findForm(html, type, action) {
  for (const [, formTag, content] of html.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gs)) {
    const inputs = [...content.matchAll(/<input\b([^>]*)>/g)].map(([, tag]) => attributes(tag));
    if (!inputs.some((input) => input.type === type)) continue;
    if (action && attributes(formTag).action !== action) continue;
    const hidden = inputs.filter((input) => input.type === 'hidden');
    return {
      action: attributes(formTag).action,
      fields: new URLSearchParams(hidden.map(({ name, value }) => [name, value])),
      nameOf: (wanted) => inputs.find((input) => input.type === wanted).name,
    };
  }
  throw new BenchError(`The page holds no form with a ${type} field.`);
}

function attributes(tag) {
  return Object.fromEntries([...tag.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
}
