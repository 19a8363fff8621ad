// A figure: its value now, or where the pointer is, and its plot. The plots are
// SVG, so that their colours come from the style sheet in light and dark.

import {ago} from "/page/format.js";
import {Series} from "/page/series.js";

const width = 300;
const height = 100;
const hole = 3000; // ms without an answer are shown as a gap

export class Figure {
  #article;
  #series = new Series();
  #format;
  #base;
  #cursor = null; // as a share of the width, while the pointer is there

  // format makes text of a value; scales end at round numbers of the base.
  constructor(id, format, base = 10) {
    this.#article = document.getElementById(id);
    this.#format = format;
    this.#base = base;
  }

  get plot() {
    return this.#article.querySelector("svg");
  }

  add(time, value) {
    this.#series.add(time, value);
  }

  // point moves the cursor, null for none.
  point(at) {
    this.#cursor = at;
  }

  // draw shows what was seen in the span before now; more is the line below the
  // value.
  draw(now, span, more) {
    const top = round(this.#series.peak, this.#base);
    this.#drawPlot(now, span, top);
    const pointed = this.#cursor === null ? null : this.#series.at(now, (1 - this.#cursor) * span);
    this.#text("output", this.#format(pointed === null ? this.#series.last : pointed.value));
    this.#text(".more", pointed === null ? more : ago(pointed.ago));
    this.#text(".since", ago(span));
    this.#text(".peak", top > 0 ? `to ${this.#format(top)}` : "");
    this.#text("title", `now ${this.#format(this.#series.last)}, at most ${this.#format(this.#series.peak)}`);
    if (this.#article.dataset.alarm !== undefined) {
      this.#article.dataset.alarm = this.#series.last > 0 ? "now" : this.#series.peak > 0 ? "before" : "none";
    }
  }

  #drawPlot(now, span, top) {
    const x = (age) => (width * (1 - age / span)).toFixed(2);
    const y = (v) => (top > 0 ? (height - 2) * (1 - v / top) + 1 : height).toFixed(2);
    const line = [];
    const area = [];
    let begun = null;
    let previous = Infinity;
    const end = () => {
      if (begun !== null) {
        area.push(`L${x(previous)},${height}Z`);
      }
      begun = null;
    };
    this.#series.points(now, (age, value) => {
      if (Number.isNaN(value) || previous - age > hole) {
        end();
      }
      if (Number.isNaN(value)) {
        return;
      }
      line.push(`${begun === null ? "M" : "L"}${x(age)},${y(value)}`);
      area.push(`${begun === null ? `M${x(age)},${height}L` : "L"}${x(age)},${y(value)}`);
      begun ??= age;
      previous = age;
    });
    end();
    this.#path(".line", line.join(""));
    this.#path(".area", area.join(""));
    this.#path(".cursor", this.#cursor === null ? "" : `M${(width * this.#cursor).toFixed(2)},0V${height}`);
  }

  #path(which, d) {
    this.#article.querySelector(which).setAttribute("d", d);
  }

  #text(which, text) {
    const element = this.#article.querySelector(which);
    if (element.textContent !== text) {
      element.textContent = text;
    }
  }
}

// round is the end of a scale that holds v: 1, 2 or 5 times a power of ten, or a
// power of two.
function round(v, base) {
  if (!(v > 0)) {
    return 0;
  }
  if (base === 2) {
    return 2 ** Math.ceil(Math.log2(v));
  }
  const unit = 10 ** Math.floor(Math.log10(v));
  return [1, 2, 5, 10].map((n) => n * unit).find((n) => v <= n * 1.0000001);
}

// pointing makes the pointer over any plot the cursor of all of them.
export function pointing(figures, draw) {
  for (const figure of figures) {
    const move = (event) => {
      const box = figure.plot.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      figures.forEach((each) => each.point(share));
      draw();
    };
    figure.plot.addEventListener("pointermove", move);
    figure.plot.addEventListener("pointerdown", move);
    for (const end of ["pointerleave", "pointercancel"]) {
      figure.plot.addEventListener(end, () => {
        figures.forEach((each) => each.point(null));
        draw();
      });
    }
  }
}
