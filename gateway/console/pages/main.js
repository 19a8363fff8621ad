// The console page: its parts, and how they are joined. Each part binds the
// controls of its own section of the page.

import {bindConnect} from "/console/connect.js";
import {Connection} from "/console/connection.js";
import {Detail} from "/console/detail.js";
import {$} from "/console/forms.js";
import {Journal} from "/console/journal.js";
import {List} from "/console/list.js";
import {bindSend} from "/console/send.js";
import {bindTools} from "/console/tools.js";
import {View} from "/console/view.js";

const journal = new Journal();
const connection = new Connection(journal, (event) => view.changed(event));
const detail = new Detail($("detail"));
const list = new List($("log"), $("rows"), journal, (entry) => {
  detail.show(entry);
  view.schedule();
});
const sending = bindSend(connection, () => view.draw()); // whole, so that figures and buttons agree
const view = new View(connection, sending, journal, list, detail);

bindConnect(connection);
bindTools(journal, list, detail, view);
view.draw();
