// The small plots. They are drawn as SVG, so that their colours come from the
// style sheet in light and dark.

import {millis, size} from "/console/bytes.js";
import {buckets, shortest} from "/console/trips.js";

const samples = 150; // at ten a second: 15 seconds
const height = 24;

// Plot is the line of bufferedAmount.
export class Plot {
  #values = new Array(samples).fill(0);
  #peak = 0; // since the sample before
  #line;
  #label;

  constructor(line, label) {
    this.#line = line;
    this.#label = label;
  }

  // note takes a value between two samples: what is sent leaves the buffer
  // within a millisecond or two, and would else never be seen.
  note(value) {
    this.#peak = Math.max(this.#peak, value);
  }

  // sample ends a tenth of a second.
  sample() {
    this.#values.shift();
    this.#values.push(this.#peak);
    this.#peak = 0;
    const top = Math.max(...this.#values);
    const y = (v) => height - 1 - (top > 0 ? (v / top) * (height - 2) : 0);
    this.#line.setAttribute("points", this.#values.map((v, x) => `${x},${y(v).toFixed(1)}`).join(" "));
    this.#label.textContent = `peak ${size(top)}`;
  }
}

// drawHistogram draws how many round trips took how long: each bar is twice as
// long a time as the one before.
export function drawHistogram(path, title, counts) {
  const top = Math.max(1, ...counts);
  const bars = [];
  const words = [];
  counts.forEach((n, i) => {
    if (n > 0) {
      // A single one among thousands is still seen.
      bars.push(`M${i},${height}V${Math.min(height - 1, height - (n / top) * height).toFixed(1)}h.8V${height}`);
      words.push(i < buckets - 1 ? `${n} up to ${millis(shortest * 2 ** i)}` : `${n} longer`);
    }
  });
  path.setAttribute("d", bars.join(""));
  title.textContent = words.length > 0 ? `Round trips: ${words.join(", ")}` : "No round trips yet";
}
