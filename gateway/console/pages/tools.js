// The tools of the log.

import {copy, download} from "/console/export.js";
import {$, confirm} from "/console/forms.js";
import {asJSON, asText} from "/console/journal.js";

export function bindTools(journal, list, detail, view) {
  const refilter = () => {
    journal.filter($("only").value, $("filter").value);
    view.schedule();
  };
  $("only").addEventListener("change", refilter);
  $("filter").addEventListener("input", refilter);
  $("follow").addEventListener("click", () => {
    list.following = !list.following;
    view.schedule();
  });
  $("copy").addEventListener("click", () => confirm($("copy"), copy(asText(journal.shown))));
  $("download").addEventListener("click", () => download("echogate-log.json", "application/json", asJSON(journal.shown)));
  $("clear").addEventListener("click", () => {
    journal.clear();
    list.following = true;
    list.select(null);
  });
  $("log").addEventListener("scroll", () => {
    list.scrolled();
    view.schedule();
  });
  $("detail-copy").addEventListener("click", () => confirm($("detail-copy"), copy(detail.text)));
  $("detail-close").addEventListener("click", () => {
    list.select(null);
    $("log").focus();
  });
}
