// One WebSocket at a time, with everything that happens on it in the journal.

import {keepBytes, keepMax, keepText} from "/console/bytes.js";
import {Trips} from "/console/trips.js";

export class Connection {
  #socket = null;
  #journal;
  #changed;

  sent = 0;
  received = 0;
  trips = new Trips();

  // changed is called after every event, with its name when it moved readyState.
  constructor(journal, changed) {
    this.#journal = journal;
    this.#changed = changed;
  }

  // state is the socket's readyState, CLOSED when there is none yet.
  get state() {
    return this.#socket?.readyState ?? WebSocket.CLOSED;
  }

  get bufferedAmount() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  get protocol() {
    return this.#socket?.protocol ?? "";
  }

  // extensions are those agreed on, as the server has named them.
  get extensions() {
    return this.#socket?.extensions ?? "";
  }

  // open connects. It throws what the constructor of WebSocket throws.
  open(url, protocols, binaryType) {
    const socket = new WebSocket(url, protocols);
    this.#socket = socket;
    this.sent = 0;
    this.received = 0;
    this.trips.reset();
    socket.binaryType = binaryType;
    socket.onopen = () => this.#opened(socket);
    socket.onmessage = (event) => this.#message(event.data);
    socket.onerror = () => this.#event("error", "the browser does not say why");
    socket.onclose = ({code, reason, wasClean}) =>
      this.#event("close", `${code}${reason && ` ${reason}`}, ${wasClean ? "wasClean" : "not clean"}`, {code, reason, wasClean});
    this.#changed("connecting");
  }

  // close begins the closing handshake. It throws what WebSocket.close throws.
  close(code, reason) {
    this.#socket.close(code, reason);
    this.#changed("closing");
  }

  // send sends a string, a Uint8Array or a Blob.
  send(data) {
    const entry = this.#entry("sent", data);
    this.#socket.send(data);
    this.sent++;
    this.trips.sent(entry.size, typeof data === "string" ? entry.kept : null);
    this.#changed();
  }

  set binaryType(type) {
    if (this.#socket) {
      this.#socket.binaryType = type;
    }
  }

  #message(data) {
    this.received++;
    const entry = this.#entry("received", data);
    entry.trip = this.trips.received(entry.size, typeof data === "string" ? entry.kept : null);
    this.#changed();
  }

  #opened({url, protocol, extensions}) {
    const agreed = [protocol && `subprotocol ${protocol}`, extensions].filter((text) => text !== "");
    this.#event("open", agreed.join(", ") || url, {url, protocol, extensions});
  }

  #event(kind, note, facts) {
    this.#journal.add({direction: "event", kind, note, ...facts});
    this.#changed(kind);
  }

  // #entry puts a message into the journal. What a Blob holds is known later,
  // but its place in the order is now.
  #entry(direction, data) {
    if (typeof data === "string") {
      return this.#journal.add({direction, kind: "text", ...keepText(data)});
    }
    if (!(data instanceof Blob)) {
      return this.#journal.add({direction, kind: "binary", ...keepBytes(data)});
    }
    const entry = this.#journal.add({direction, kind: "binary", size: data.size, kept: null});
    data.slice(0, keepMax).arrayBuffer().then(
      (bytes) => (entry.kept = new Uint8Array(bytes)),
      () => Object.assign(entry, {kept: undefined, note: "the file can no longer be read"}),
    ).finally(() => this.#changed());
    return entry;
  }
}
