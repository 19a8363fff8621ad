// The selected entry, whole as far as it was kept, as text or as bytes.

import {dump, size, toBytes} from "/console/bytes.js";
import {content, cut, fields} from "/console/journal.js";

const narrow = matchMedia("(max-width: 40rem)"); // where 16 bytes a line do not fit

export class Detail {
  #entry = null;
  #drawn;
  #box;
  #title;
  #views;
  #body;

  constructor(box) {
    this.#box = box;
    this.#title = box.querySelector("h3");
    this.#views = box.querySelector("fieldset");
    this.#body = box.querySelector("pre");
    this.#views.addEventListener("change", () => this.#write());
    narrow.addEventListener("change", () => this.#write());
  }

  // show shows an entry, or nothing for null. Binary ones begin as bytes.
  show(entry) {
    this.#entry = entry;
    this.#box.hidden = entry === null;
    if (entry === null) {
      return;
    }
    const view = typeof entry.kept === "string" || entry.kept === undefined ? "text" : "hex";
    this.#views.querySelector(`[value=${view}]`).checked = true;
    this.#views.disabled = entry.kept === undefined;
    this.#write();
  }

  // draw shows what has become known since.
  draw() {
    if (this.#entry !== null && this.#entry.kept !== this.#drawn) {
      this.#write();
    }
  }

  // text is what is on view.
  get text() {
    return this.#body.textContent;
  }

  #write() {
    const e = this.#entry;
    if (e === null) {
      return;
    }
    this.#drawn = e.kept;
    const {time, kind, trip} = fields(e);
    const facts = [e.direction, kind, e.size === undefined ? "" : size(e.size), trip, time];
    this.#title.textContent = facts.filter((f) => f !== "").join(" · ");
    this.#body.textContent = this.#payload(e);
  }

  #payload(e) {
    if (e.kept == null) {
      return content(e);
    }
    const asHex = this.#views.querySelector(":checked").value === "hex";
    const bytes = toBytes(e.kept);
    const text = asHex ? dump(bytes, narrow.matches ? 8 : 16) : new TextDecoder().decode(bytes);
    return cut(e) ? `${text}\n… ${size(e.size - bytes.length)} more, not kept by the log` : text;
  }
}
