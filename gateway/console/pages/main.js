// The console page: what the controls do, and what is drawn once a frame.

import {millis, parseHex, size} from "/console/bytes.js";
import {Connection} from "/console/connection.js";
import {Detail} from "/console/detail.js";
import {asJSON, asText, Journal} from "/console/journal.js";
import {List} from "/console/list.js";
import {copy, download} from "/console/export.js";
import {Plot} from "/console/plot.js";
import {repeat} from "/console/repeat.js";

const $ = (id) => document.getElementById(id);
const names = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"];

const journal = new Journal();
const connection = new Connection(journal, changed);
const detail = new Detail($("detail"));
const list = new List($("log"), $("rows"), journal, (entry) => {
  detail.show(entry);
  schedule();
});
const plot = new Plot($("plot").firstElementChild, $("peak"));

let stopRepeat = null;

// Drawing. Thousands of events a second cost one drawing a frame.

let scheduled = false;

function schedule() {
  if (!scheduled) {
    scheduled = true;
    requestAnimationFrame(draw);
  }
}

function changed(event) {
  plot.note(connection.bufferedAmount);
  if (event !== undefined) {
    drawState(); // at once: a state that lasts less than a frame was there too
    announce(event);
  }
  schedule();
}

function draw() {
  scheduled = false;
  drawState();
  drawFigures();
  list.draw();
  detail.draw();
}

function drawState() {
  const state = connection.state;
  if ($("state").dataset.state !== names[state]) {
    drawStates(state);
  }
  $("open").disabled = state !== WebSocket.CLOSED;
  $("shut").disabled = state > WebSocket.OPEN;
  $("submit").disabled = state !== WebSocket.OPEN || stopRepeat !== null;
  $("stop").disabled = stopRepeat === null;
  $("protocol").textContent = connection.protocol || "–";
}

function drawStates(state) {
  $("state").dataset.state = names[state];
  [...$("state").children].forEach((item, i) => {
    if (i === state) {
      item.setAttribute("aria-current", "true");
    } else {
      item.removeAttribute("aria-current");
    }
  });
}

function drawFigures() {
  $("buffered").textContent = size(connection.bufferedAmount);
  $("sent").textContent = connection.sent.toLocaleString("en");
  $("received").textContent = connection.received.toLocaleString("en");
  const trips = connection.trips.summary();
  $("trip").textContent = trips === null ? "–" : millis(trips.last);
  $("trips").textContent = trips === null ? "median –, max –" : `median ${millis(trips.median)}, max ${millis(trips.max)}`;
  const n = journal.shown.length;
  $("shown").textContent = `${n.toLocaleString("en")} ${n === 1 ? "entry" : "entries"}`;
  $("empty").hidden = n > 0;
  $("empty").textContent = journal.entries.length > 0 ? "Nothing in the log matches the filter." : "Connect, and every event appears here.";
  $("follow").setAttribute("aria-pressed", list.following);
}

// announce tells a screen reader what has happened to the connection; messages
// come too fast to be read out.
function announce(event) {
  if (event !== "error") { // a close always follows
    $("announce").textContent = `Connection: ${event}`;
  }
}

// Ten times a second, whether anything happens or not: the plot moves on.
let countBefore = 0;
let ticks = 0;
setInterval(() => {
  plot.note(connection.bufferedAmount);
  plot.sample();
  if (++ticks % 10 === 0) {
    const count = connection.sent + connection.received;
    $("rate").textContent = `${Math.max(0, count - countBefore).toLocaleString("en")} /s`;
    countBefore = count;
  }
  schedule();
}, 100);

// The controls. What the browser refuses is said at the field that it is about.

function attempt(field, action) {
  try {
    action();
    return true;
  } catch (error) {
    field.setCustomValidity(error.message);
    field.reportValidity();
    field.addEventListener("input", () => field.setCustomValidity(""), {once: true});
    return false;
  }
}

// onSubmit does not let the form leave the page, which its policy forbids too.
function onSubmit(form, action) {
  $(form).addEventListener("submit", (event) => {
    event.preventDefault();
    action();
  });
}

function chosen(name) {
  return document.querySelector(`input[name=${name}]:checked`).value;
}

function isAddress(text) {
  return URL.canParse(text, location.href) && /^(ws|http)s?:$/.test(new URL(text, location.href).protocol);
}

onSubmit("connect", () => {
  const url = $("url").value.trim();
  const protocols = $("protocols").value.split(/[\s,]+/).filter((p) => p !== "");
  // The constructor does not say which of the two it refuses.
  const field = isAddress(url) ? $("protocols") : $("url");
  attempt(field, () => connection.open(url, protocols, chosen("binary-type")));
});

onSubmit("close", () => {
  const reason = $("reason").value;
  const tooLong = new TextEncoder().encode(reason).length > 123; // RFC 6455 §5.5: a control frame has 125 bytes
  attempt(tooLong ? $("reason") : $("code"), () => {
    if ($("code").value === "") {
      connection.close(undefined, undefined);
    } else {
      connection.close($("code").valueAsNumber, reason);
    }
  });
});

$("binary-type").addEventListener("change", () => (connection.binaryType = chosen("binary-type")));

$("kind").addEventListener("change", () => {
  for (const field of document.querySelectorAll(".payload")) {
    field.hidden = field.dataset.kind !== chosen("kind");
    field.querySelector("textarea, input").setCustomValidity(""); // what is hidden must not hold back the form
  }
});

// message returns the function that makes the n-th of count messages; it throws
// when the field holds none.
function message(kind, count) {
  switch (kind) {
    case "binary": {
      const bytes = parseHex($("hex").value);
      return () => bytes;
    }
    case "file": {
      const file = $("file").files[0];
      if (!file) {
        throw new Error("Choose a file first.");
      }
      return () => file;
    }
  }
  const text = $("text").value;
  return count > 1 ? (n) => text.replaceAll("{n}", n) : () => text;
}

onSubmit("send", () => {
  const kind = chosen("kind");
  const count = $("count").valueAsNumber;
  const field = {text: $("text"), binary: $("hex"), file: $("file")}[kind];
  attempt(field, () => {
    const make = message(kind, count);
    stopRepeat = repeat(count, $("every").valueAsNumber, connection, (n) => connection.send(make(n)), () => {
      stopRepeat = null;
      drawState();
    });
    drawState();
  });
});

$("stop").addEventListener("click", () => stopRepeat?.());

$("send").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    $("submit").click(); // which does nothing while it is disabled
  }
});

// The tools of the log.

function refilter() {
  journal.filter($("only").value, $("filter").value);
  schedule();
}

$("only").addEventListener("change", refilter);
$("filter").addEventListener("input", refilter);
$("log").addEventListener("scroll", () => {
  list.scrolled();
  schedule();
});
$("follow").addEventListener("click", () => {
  list.following = !list.following;
  schedule();
});
$("clear").addEventListener("click", () => {
  journal.clear();
  list.select(null);
  list.following = true;
  schedule();
});
// confirm says on a button that its copy was made, or was not.
async function confirm(button, copied) {
  const name = button.dataset.name ??= button.textContent;
  button.textContent = await copied.then(() => "Copied", () => "Refused");
  setTimeout(() => (button.textContent = name), 1500);
}

$("copy").addEventListener("click", () => confirm($("copy"), copy(asText(journal.shown))));
$("download").addEventListener("click", () => download("echogate-log.json", "application/json", asJSON(journal.shown)));
$("detail-copy").addEventListener("click", () => confirm($("detail-copy"), copy(detail.text)));
$("detail-close").addEventListener("click", () => {
  list.select(null);
  $("log").focus();
});
addEventListener("resize", schedule);

$("url").value = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/echo`;
draw();
