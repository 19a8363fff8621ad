// What the page shows. Thousands of events a second cost one drawing a frame.

import {digits, millis, size} from "/console/bytes.js";
import {$} from "/console/forms.js";
import {drawHistogram, Plot} from "/console/plot.js";

const states = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"];
const sampling = 100; // ms

export class View {
  #connection;
  #sending;
  #journal;
  #list;
  #detail;
  #plot = new Plot($("plot").firstElementChild, $("peak"));
  #scheduled = false;

  constructor(connection, sending, journal, list, detail) {
    this.#connection = connection;
    this.#sending = sending;
    this.#journal = journal;
    this.#list = list;
    this.#detail = detail;
    this.#sample();
    addEventListener("resize", () => this.schedule());
  }

  // schedule draws everything with the next frame.
  schedule() {
    if (!this.#scheduled) {
      this.#scheduled = true;
      requestAnimationFrame(() => this.draw());
    }
  }

  // changed takes an event of the connection; messages have no name.
  changed(event) {
    this.#plot.note(this.#connection.bufferedAmount);
    if (event !== undefined) {
      this.drawState(); // at once: a state that lasts less than a frame was there too
      this.#announce(event);
    }
    this.schedule();
  }

  draw() {
    this.#scheduled = false;
    this.drawState();
    this.#drawFigures();
    this.#drawCount();
    this.#list.draw();
    this.#detail.draw();
  }

  // drawState shows readyState, and which controls make sense in it.
  drawState() {
    const {state, protocol, extensions} = this.#connection;
    if ($("state").dataset.state !== states[state]) {
      $("state").dataset.state = states[state];
      [...$("state").children].forEach((item, i) => {
        item.setAttribute("aria-current", i === state);
      });
    }
    $("open").disabled = state !== WebSocket.CLOSED;
    $("shut").disabled = state > WebSocket.OPEN;
    $("submit").disabled = state !== WebSocket.OPEN || this.#sending();
    $("stop").disabled = !this.#sending();
    $("protocol").textContent = protocol || "–";
    $("extensions").textContent = extensions || "no extensions";
    $("extensions").title = extensions || "The extensions that were agreed on";
  }

  #drawFigures() {
    const {bufferedAmount, sent, received, trips} = this.#connection;
    $("buffered").textContent = size(bufferedAmount);
    $("sent").textContent = sent.toLocaleString("en");
    $("received").textContent = received.toLocaleString("en");
    const times = trips.summary();
    $("trip").textContent = times === null ? "–" : millis(times.last);
    $("trips").textContent = times === null ? "median –, max –" : `median ${digits(times.median)}, max ${millis(times.max)}`;
    drawHistogram($("histogram").lastElementChild, $("histogram").firstElementChild, trips.counts);
  }

  #drawCount() {
    const {shown, entries} = this.#journal;
    $("shown").textContent = `${shown.length.toLocaleString("en")} ${shown.length === 1 ? "entry" : "entries"}`;
    $("empty").hidden = shown.length > 0;
    $("empty").textContent = entries.length > 0 ? "Nothing in the log matches the filter." : "Connect, and every event appears here.";
    $("follow").setAttribute("aria-pressed", this.#list.following);
  }

  // #announce tells a screen reader what has happened to the connection;
  // messages come too fast to be read out.
  #announce(event) {
    if (event !== "error") { // a close always follows
      $("announce").textContent = `Connection: ${event}`;
    }
  }

  // #sample moves the plot on, whether anything happens or not, and counts
  // messages by the second.
  #sample() {
    let ticks = 0;
    let before = 0;
    setInterval(() => {
      const {bufferedAmount, sent, received} = this.#connection;
      this.#plot.note(bufferedAmount);
      this.#plot.sample();
      if (++ticks % (1000 / sampling) === 0) {
        $("rate").textContent = `${Math.max(0, sent + received - before).toLocaleString("en")} /s`;
        before = sent + received;
      }
      this.schedule();
    }, sampling);
  }
}
