// What was seen in the last five minutes.

const span = 300_000; // ms
const least = 60_000; // that a plot shows

// spanSince is how much a plot shows: all that was seen since then, a minute at
// least.
export function spanSince(began, now) {
  return Math.min(span, Math.max(least, now - began));
}

// Series is values over time, the oldest first. NaN is not known.
export class Series {
  #times = [];
  #values = [];

  add(time, value) {
    this.#times.push(time);
    this.#values.push(value);
    while (this.#times[0] < time - span) {
      this.#times.shift();
      this.#values.shift();
    }
  }

  // points calls f with each value and how long ago it was.
  points(now, f) {
    this.#times.forEach((time, i) => f(now - time, this.#values[i]));
  }

  // at is the value that was seen closest to so long ago, and its age.
  at(now, ago) {
    let best = {ago: 0, value: NaN};
    let closest = Infinity;
    this.points(now, (age, value) => {
      if (Math.abs(age - ago) < closest) {
        closest = Math.abs(age - ago);
        best = {ago: age, value};
      }
    });
    return best;
  }

  get last() {
    return this.#values.at(-1) ?? NaN;
  }

  get peak() {
    return this.#values.reduce((top, v) => (v > top ? v : top), 0);
  }

  // before is the oldest value that is not older than so long.
  before(now, ago) {
    return this.#values[this.#times.findIndex((time) => now - time <= ago)] ?? NaN;
  }
}
