// An app in a browser that connects with mcp-use: in a pop-up window or, with `?redirect`, in its own window.
// It shows the tools and what the tool `whoami` answers.
import { createElement as show, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { onMcpAuthorization, useMcp } from 'mcp-use/react';

// A new object at each rendering would make the app connect again.
const clientInfo = { name: 'App in a browser', version: '1.0.0' };

function App({ url, redirect }) {
  const { state, error, tools, authenticate, callTool } = useMcp({ url, clientInfo, useRedirectFlow: redirect });
  const [person, setPerson] = useState('');
  useEffect(() => {
    if (state !== 'ready') return;
    callTool('whoami', {})
      .then(({ content }) => setPerson(content[0].text))
      .catch((failure) => setPerson(`${failure}`));
  }, [state]);
  return show(
    'main',
    null,
    show('p', { role: 'status' }, state),
    error && show('p', { role: 'alert' }, error),
    show('button', { onClick: authenticate }, 'Connect'),
    show('ul', null, tools.map(({ name }) => show('li', { key: name }, name))),
    show('pre', null, person),
  );
}

if (location.pathname === '/oauth/callback') onMcpAuthorization();
else {
  const query = new URLSearchParams(location.search);
  createRoot(document.body).render(show(App, { url: query.get('server'), redirect: query.has('redirect') }));
}
