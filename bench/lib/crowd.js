// A crowd of clients that hold connections and ask for nothing, or take their time. Arguments: PORT, COUNT, KIND (idle,
// slow-head or slow-body). A connection that the server closes is opened again. Prints "ready" once all are there.
import { connect } from 'node:net';

const [port, count, kind] = process.argv.slice(2);
const HEAD = 'POST /mcp/oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n';
const DRIP_EVERY = 1000; // milliseconds
const AT_ONCE = 100;

let open = 0;

function join() {
  const socket = connect(Number(port), '127.0.0.1');
  let drip;
  socket.once('connect', () => {
    open += 1;
    if (open === Number(count)) console.log('ready');
    if (kind === 'idle') return;
    socket.write(kind === 'slow-head' ? HEAD : `${HEAD}Content-Length: 1000\r\n\r\n`);
    drip = setInterval(() => socket.write(kind === 'slow-head' ? 'X-Slow: 1\r\n' : 'a'), DRIP_EVERY);
  });
  socket.on('error', () => {});
  socket.resume();
  socket.once('close', () => {
    clearInterval(drip);
    open -= 1;
    setTimeout(join, 10);
  });
}

let started = 0;
const starting = setInterval(() => {
  for (let n = 0; n < AT_ONCE && started < Number(count); n++, started++) join();
  if (started >= Number(count)) clearInterval(starting);
}, 10);
