// The connection's section: where to connect, and how to close.

import {$, attempt, chosen, onSubmit} from "/console/forms.js";
import {bindPicker} from "/console/picker.js";

const origin = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}`;

export function bindConnect(connection) {
  const fill = () => ($("url").value = origin + (location.hash.startsWith("#/") ? location.hash.slice(1) : "/echo"));
  fill();
  addEventListener("hashchange", fill); // other pages link to /#/path
  bindPicker(origin, (url) => ($("url").value = url));
  onSubmit($("connect"), () => connect(connection));
  onSubmit($("close"), () => close(connection));
  $("binary-type").addEventListener("change", () => (connection.binaryType = chosen("binary-type")));
}

function connect(connection) {
  const url = $("url").value.trim();
  const protocols = $("protocols").value.split(/[\s,]+/).filter((p) => p !== "");
  // The constructor does not say which of the two it refuses.
  const field = isAddress(url) && protocols.length > 0 ? $("protocols") : $("url");
  attempt(field, () => connection.open(url, protocols, chosen("binary-type")));
}

function isAddress(text) {
  return URL.canParse(text, location.href) && /^(ws|http)s?:$/.test(new URL(text, location.href).protocol);
}

// close sends what the fields hold; without a code, a close frame without a body.
function close(connection) {
  const code = $("code").value === "" ? undefined : $("code").valueAsNumber;
  const reason = $("reason").value;
  const tooLong = new TextEncoder().encode(reason).length > 123; // RFC 6455 §5.5: a control frame has 125 bytes
  attempt(tooLong ? $("reason") : $("code"), () => connection.close(code, code === undefined ? undefined : reason));
}
