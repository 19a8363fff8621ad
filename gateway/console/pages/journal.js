// The journal: every event of the page's connections, newest last, bounded. It
// knows nothing of the document.

import {clock, hex, millis, size, toBytes} from "/console/bytes.js";

const limit = 20000; // entries: ten thousand exchanges
const slack = 1000; // cut off at once, so that arrays move rarely

const arrows = {sent: "↑", received: "↓", event: "•"};

export class Journal {
  #next = 1;
  #match = () => true;

  entries = [];
  shown = []; // the entries that the filter lets through
  dropped = 0; // how many were cut off the front of shown

  // add takes {direction: sent, received or event, kind, …} and returns it,
  // numbered and with its time.
  add(entry) {
    entry.number = this.#next++;
    entry.at = new Date();
    this.entries.push(entry);
    if (this.#match(entry)) {
      this.shown.push(entry);
    }
    if (this.entries.length > limit + slack) {
      this.#trim();
    }
    return entry;
  }

  #trim() {
    this.entries.splice(0, slack);
    const first = this.entries[0].number;
    let n = 0;
    while (n < this.shown.length && this.shown[n].number < first) {
      n++;
    }
    this.shown.splice(0, n);
    this.dropped += n;
  }

  // filter shows the entries of one direction ("": all) that hold text.
  filter(direction, text) {
    const needle = text.toLowerCase();
    this.#match = (e) =>
      (direction === "" || e.direction === direction) &&
      (needle === "" || `${e.kind} ${content(e)}`.toLowerCase().includes(needle));
    this.shown = this.entries.filter(this.#match);
    this.dropped = 0;
  }

  clear() {
    this.entries = [];
    this.shown = [];
    this.dropped = 0;
  }
}

// content is an entry in one line.
export function content(e) {
  if (e.note !== undefined) {
    return e.note;
  }
  if (e.kept === null) {
    return "…"; // a Blob that is still being read
  }
  const more = cut(e) ? " …" : "";
  return (typeof e.kept === "string" ? e.kept : hex(e.kept.subarray(0, 64))) + more;
}

// cut tells whether the journal keeps less than there was.
export function cut(e) {
  return e.kept != null && toBytes(e.kept).length < e.size;
}

// fields are the columns of an entry.
export function fields(e) {
  return {
    time: clock(e.at),
    arrow: arrows[e.direction],
    kind: e.kind,
    size: e.size === undefined ? "" : size(e.size),
    trip: e.trip == null ? "" : millis(e.trip),
    content: content(e),
  };
}

// asText is the log as lines to paste.
export function asText(entries) {
  return entries.map((e) => Object.values(fields(e)).filter((f) => f !== "").join("  ")).join("\n") + "\n";
}

// asJSON is the log with everything that is known.
export function asJSON(entries) {
  return JSON.stringify(entries.map(record), null, 2) + "\n";
}

function record(e) {
  const {number, direction, kind, at, trip, kept, note, ...rest} = e;
  const r = {number, time: at.toISOString(), direction, kind, ...rest};
  if (trip != null) {
    r.roundTripMs = trip;
  }
  if (kept != null) {
    r[typeof kept === "string" ? "text" : "hex"] = typeof kept === "string" ? kept : hex(kept);
    r.complete = !cut(e);
  }
  return r;
}
