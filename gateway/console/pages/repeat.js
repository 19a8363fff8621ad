// Sending many messages at a pace.

const tick = 4; // ms; browsers round shorter timers up to this
const slice = 8; // ms of sending without a break, so that the page stays alive
const buffered = 4 << 20; // bytes the browser may hold before sending waits

// repeat calls send(1) to send(count), one every so many milliseconds, until it
// is through or ready() is false, then done(). What a late timer missed is made
// up for. It returns a function that stops it.
export function repeat(count, every, connection, send, done) {
  const began = performance.now();
  let sent = 0;
  const stop = () => {
    clearTimeout(timer);
    done();
  };
  const run = () => {
    const now = performance.now();
    const due = every > 0 ? Math.min(count, 1 + Math.floor((now - began) / every)) : count;
    while (sent < due && connection.state === WebSocket.OPEN &&
        connection.bufferedAmount < buffered && performance.now() - now < slice) {
      send(++sent);
    }
    if (sent === count || connection.state !== WebSocket.OPEN) {
      stop();
      return;
    }
    timer = setTimeout(run, tick);
  };
  let timer = setTimeout(run);
  return stop;
}
