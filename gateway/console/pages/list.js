// The list of the log: of thousands of entries only those in view are in the
// document, and a row is used again for another entry. Nothing above or below
// moves however fast they come.

import {fields} from "/console/journal.js";

const columns = ["time", "arrow", "kind", "size", "trip", "content"];
const spare = 4; // rows beyond the edge, so that fast scrolling shows none missing

export class List {
  #box;
  #rows;
  #journal;
  #selected;
  #pool = [];
  #dropped = 0;
  #height = 0; // of a row
  #top = 0; // where the box was scrolled to

  selection = null; // an entry
  following = true; // the newest entry stays in view

  // selected is called when another entry, or none, is selected.
  constructor(box, rows, journal, selected) {
    this.#box = box;
    this.#rows = rows;
    this.#journal = journal;
    this.#selected = selected;
    box.addEventListener("keydown", (event) => this.#key(event));
    rows.addEventListener("click", (event) => {
      const row = event.target.closest("[role=option]");
      if (row) {
        this.following = false; // what is being read stays in view
        this.select(row.entry === this.selection ? null : row.entry);
      }
    });
  }

  // draw brings the document up to the journal. It is called once a frame.
  draw() {
    const {shown, dropped} = this.#journal;
    const box = this.#box;
    this.#height = parseFloat(getComputedStyle(box).getPropertyValue("--row"));
    this.#rows.style.height = `${shown.length * this.#height}px`;
    if (this.following) {
      box.scrollTop = box.scrollHeight;
    } else if (dropped > this.#dropped) {
      // What was cut off the front must not move what is being read.
      box.scrollTop -= (dropped - this.#dropped) * this.#height;
    }
    this.#dropped = dropped;
    this.#top = box.scrollTop;
    const first = Math.max(0, Math.floor(this.#top / this.#height) - spare);
    const count = Math.ceil(box.clientHeight / this.#height) + 2 * spare;
    for (let i = 0; i < count; i++) {
      this.#drawRow(i, first + i, shown[first + i]);
    }
    for (let i = count; i < this.#pool.length; i++) {
      this.#pool[i].hidden = true;
    }
    this.#markActive();
  }

  #drawRow(slot, index, entry) {
    const row = (this.#pool[slot] ??= this.#newRow(slot));
    row.hidden = entry === undefined;
    if (row.hidden) {
      return;
    }
    row.style.transform = `translateY(${index * this.#height}px)`;
    row.setAttribute("aria-selected", entry === this.selection);
    row.setAttribute("aria-posinset", index + 1);
    row.setAttribute("aria-setsize", this.#journal.shown.length);
    if (row.entry === entry && row.drawn === entry.kept) {
      return;
    }
    row.entry = entry;
    row.drawn = entry.kept;
    row.dataset.direction = entry.direction;
    row.dataset.kind = entry.kind;
    const texts = fields(entry);
    columns.forEach((name, i) => (row.children[i].textContent = texts[name]));
    // Read out in words, and without the time, which would come first each time.
    const {size, trip, content} = texts;
    row.setAttribute("aria-label", [entry.direction, entry.kind, size, trip, content].filter((t) => t !== "").join(", "));
  }

  #newRow(slot) {
    const row = document.createElement("div");
    row.className = "row";
    row.id = `row-${slot}`;
    row.setAttribute("role", "option");
    for (const name of columns) {
      const cell = document.createElement("span");
      cell.className = name;
      row.append(cell);
    }
    this.#rows.append(row);
    return row;
  }

  #markActive() {
    const row = this.#pool.find((r) => !r.hidden && r.entry === this.selection);
    if (row) {
      this.#box.setAttribute("aria-activedescendant", row.id);
    } else {
      this.#box.removeAttribute("aria-activedescendant");
    }
  }

  // scrolled notes that the list was scrolled: any way up stops following, the
  // end begins it again.
  scrolled() {
    const box = this.#box;
    if (box.scrollTop < this.#top) {
      this.following = false;
    } else if (box.scrollHeight - box.scrollTop - box.clientHeight < this.#height) {
      this.following = true;
    }
    this.#top = box.scrollTop;
  }

  select(entry) {
    this.selection = entry;
    this.#selected(entry);
  }

  #key(event) {
    const {shown} = this.#journal;
    const at = shown.indexOf(this.selection);
    const page = Math.max(1, Math.floor(this.#box.clientHeight / this.#height) - 1);
    const last = shown.length - 1;
    const to = {
      ArrowDown: at + 1,
      ArrowUp: at < 0 ? last : at - 1,
      PageDown: at + page,
      PageUp: (at < 0 ? last : at) - page,
      Home: 0,
      End: last,
    }[event.key];
    if (event.key === "Escape") {
      this.select(null);
    }
    if (to === undefined || last < 0) {
      return;
    }
    event.preventDefault();
    const index = Math.min(last, Math.max(0, to));
    this.following = false;
    this.#reveal(index);
    this.select(shown[index]);
  }

  #reveal(index) {
    const box = this.#box;
    const top = index * this.#height;
    if (top < box.scrollTop) {
      box.scrollTop = top;
    } else if (top + this.#height > box.scrollTop + box.clientHeight) {
      box.scrollTop = top + this.#height - box.clientHeight;
    }
  }
}
