// The small plot of bufferedAmount. It is drawn as SVG, so that its colours come
// from the style sheet in light and dark.

import {size} from "/console/bytes.js";

const samples = 150; // at ten a second: 15 seconds
const height = 24;

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
