// Round trips: which reply belongs to which message, and how long it took.

const waitingMax = 10000; // sent and not answered; a server that never answers must cost nothing
const lookMax = 64; // how far a reply is looked for behind messages that were lost
const kept = 1000; // round trips that the median is taken of

export const shortest = 1 / 16; // ms: the end of the first bucket; each other ends at twice the one before
export const buckets = 20; // the last one takes all above 16 s

export class Trips {
  #waiting = [];
  #head = 0;
  #times = [];

  counts = new Uint32Array(buckets); // of all round trips of this connection

  // sent notes a message; text is null for a binary one, which is told by its
  // size alone: reading a Blob takes longer than the trip.
  sent(size, text) {
    this.#waiting.push({size, text, at: performance.now()});
    if (this.#waiting.length - this.#head > waitingMax) {
      this.#take(this.#head);
    }
  }

  // received returns the time since the oldest message that the reply equals,
  // or null: a server may send what nobody asked for.
  received(size, text) {
    const end = Math.min(this.#waiting.length, this.#head + lookMax);
    for (let i = this.#head; i < end; i++) {
      const w = this.#waiting[i];
      if (w.size === size && w.text === text) {
        this.#take(i);
        return this.#note(performance.now() - w.at);
      }
    }
    return null;
  }

  // #take removes one. The usual case, the oldest, only moves the head.
  #take(i) {
    if (i !== this.#head) {
      this.#waiting.splice(i, 1);
      return;
    }
    this.#head++;
    if (this.#head >= 1024) {
      this.#waiting.splice(0, this.#head);
      this.#head = 0;
    }
  }

  #note(ms) {
    this.counts[Math.min(buckets - 1, Math.max(0, Math.ceil(Math.log2(ms / shortest))))]++;
    this.#times.push(ms);
    if (this.#times.length > kept) {
      this.#times.shift();
    }
    return ms;
  }

  // summary is the last one, and the median and the longest of the last thousand,
  // or null.
  summary() {
    if (this.#times.length === 0) {
      return null;
    }
    const sorted = Float64Array.from(this.#times).sort();
    return {last: this.#times.at(-1), median: sorted[sorted.length >> 1], max: sorted[sorted.length - 1]};
  }

  // reset forgets everything: a new connection answers nothing of the old one.
  reset() {
    this.#waiting = [];
    this.#head = 0;
    this.#times = [];
    this.counts.fill(0);
  }
}
