// Where the figures come from: the gateway is asked once a second, and only
// while somebody looks.

const every = 1000; // ms
const patience = 5000; // ms for an answer

// follow calls took with each answer, and lost with how many milliseconds ago
// the last one came when there is none.
export function follow(took, lost) {
  let last = performance.now();
  const ask = async () => {
    setTimeout(ask, every);
    if (document.hidden || asking) {
      return;
    }
    asking = true;
    const answer = await latest();
    asking = false;
    if (answer === undefined) {
      lost(performance.now() - last);
      return;
    }
    last = performance.now();
    took(answer);
  };
  let asking = false;
  ask();
}

// latest is the answer, undefined if there is none.
async function latest() {
  try {
    const answer = await fetch("/live", {cache: "no-store", signal: AbortSignal.timeout(patience)});
    return answer.ok ? await answer.json() : undefined;
  } catch {
    return undefined;
  }
}

// perSecond is how much a counter grew from one answer to the next. The clock is
// the gateway's; one that was started anew begins again.
export function perSecond(now, before, counter) {
  const seconds = before === undefined ? 0 : now.uptime - before.uptime;
  const grown = seconds > 0 ? counter(now) - counter(before) : 0;
  return seconds > 0 && grown >= 0 ? grown / seconds : NaN;
}

// sum adds up the counters of an object.
export function sum(counters) {
  return Object.values(counters).reduce((all, n) => all + n, 0);
}
