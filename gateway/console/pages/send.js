// The message's section: what to send, and how often.

import {parseHex} from "/console/bytes.js";
import {$, attempt, chosen, onSubmit} from "/console/forms.js";
import {repeat} from "/console/repeat.js";

// bindSend returns a function that tells whether messages are being sent;
// changed is called when that has changed.
export function bindSend(connection, changed) {
  let stop = null;

  onSubmit($("send"), () => attempt(field(), () => {
    const count = $("count").valueAsNumber;
    const make = maker(count);
    stop = repeat(count, $("every").valueAsNumber, connection, (n) => connection.send(make(n)), () => {
      stop = null;
      changed();
    });
    changed();
  }));
  $("stop").addEventListener("click", () => stop());
  $("send").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      $("submit").click(); // which does nothing while it is disabled
    }
  });
  $("kind").addEventListener("change", () => {
    for (const payload of document.querySelectorAll(".payload")) {
      payload.hidden = payload.dataset.kind !== chosen("kind");
    }
  });
  return () => stop !== null;
}

// field is the one that holds the message.
function field() {
  return $({text: "text", binary: "hex", file: "file"}[chosen("kind")]);
}

// maker returns the function that makes the n-th of count messages. It throws
// when the field holds none.
function maker(count) {
  switch (chosen("kind")) {
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
