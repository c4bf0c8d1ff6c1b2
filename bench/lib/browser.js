import { request } from 'node:http';
import { BenchError } from './processes.js';

/** Signs in as a browser without JavaScript does; resolves to a function that fetches a page, and sends its forms. */
export async function signIn(origin, email, password) {
  const browser = new Browser(origin, (method, path, headers, body) => send(origin + path, method, headers, body));
  const expect = (what, answer, ...statuses) => {
    if (!statuses.includes(answer.status)) throw new BenchError(`${what} answered ${answer.status}.`);
    return answer.html;
  };
  const page = async (path) => expect(`GET ${path}`, await browser.get(path), 200);
  page.submit = async (path, action, values) => {
    const form = findForm(`${await page(path)}`, 'text', action);
    expect(`POST ${action}`, await browser.post(action, form.fill(values)), 302, 303);
  };

  const form = findForm(`${await page('/login')}`, 'password');
  const action = form.action ?? '/login';
  const fields = form.fill({ [form.nameOf('email')]: email, [form.nameOf('password')]: password });
  expect(`POST ${action}`, await browser.post(action, fields), 302, 303);
  return page;
}

/**
 * Keeps cookies, and sends what a browser sends. `send` does it: it takes a method, a path, headers and a body, and
 * resolves to an answer with `status` and `headers`.
 */
export class Browser {
  #cookies = new Map();

  constructor(origin, send) {
    this.origin = origin;
    this.send = send;
  }

  get(path) {
    return this.#ask('GET', path);
  }

  post(path, fields) {
    return this.#ask(
      'POST',
      path,
      {
        'Content-Type': 'application/x-www-form-urlencoded',
        Origin: this.origin,
        'Sec-Fetch-Site': 'same-origin',
        'Sec-Fetch-Mode': 'navigate',
        'Sec-Fetch-Dest': 'document',
      },
      `${fields}`,
    );
  }

  async #ask(method, path, headers = {}, body) {
    const cookies = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await this.send(method, path, { Accept: 'text/html', Cookie: cookies, ...headers }, body);
    for (const cookie of answer.headers?.['set-cookie'] ?? []) {
      const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/);
      this.#cookies.set(name, value);
    }
    return answer;
  }
}

/** Sends a request. fetch() would add `Sec-Fetch-Mode: cors`, which no form post carries. */
async function send(url, method, headers, body) {
  const answer = await new Promise((resolve, reject) => {
    request(url, { method, headers }, resolve).on('error', reject).end(body);
  });
  const chunks = [];
  for await (const chunk of answer) chunks.push(chunk);
  return { status: answer.statusCode, headers: answer.headers, html: Buffer.concat(chunks) };
}

/** The first form that holds an input of this type, and has this action if one is given. */
export function findForm(html, type, action) {
  for (const [, formTag, content] of html.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gs)) {
    const inputs = [...content.matchAll(/<input\b([^>]*)>/g)].map(([, tag]) => attributes(tag));
    if (!inputs.some((input) => input.type === type)) continue;
    if (action && attributes(formTag).action !== action) continue;
    const sent = inputs.filter((input) => input.type === 'hidden' || input.checked !== undefined);
    return {
      action: attributes(formTag).action,
      nameOf: (wanted) => inputs.find((input) => input.type === wanted).name,
      /** What the browser sends when these values were typed. */
      fill(values) {
        const fields = new URLSearchParams(sent.map(({ name, value }) => [name, value]));
        for (const [name, value] of Object.entries(values)) fields.set(name, value);
        return fields;
      },
    };
  }
  throw new BenchError(`The page holds no form with a ${type} field.`);
}

function attributes(tag) {
  const named = [...tag.matchAll(/([\w-]+)(?:="([^"]*)")?/g)];
  return Object.fromEntries(named.map(([, name, value = '']) => [name, value]));
}
