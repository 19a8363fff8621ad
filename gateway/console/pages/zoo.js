// The zoo's page: visits all animals with this browser and says what it did.

const $ = (id) => document.getElementById(id);

const together = 6; // visits at a time
const tooLong = 20000; // ms; the server cuts a visit before

// meet visits one animal. What it resolves to is what a page can know.
function meet(name) {
  return new Promise((resolve) => {
    const did = {opened: false, messages: 0, code: null, clean: false};
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/zoo/${name}`);
    const end = setTimeout(() => {
      socket.close();
      resolve(did);
    }, tooLong);
    socket.onopen = () => (did.opened = true);
    socket.onmessage = ({data}) => {
      did.messages++;
      if (data === "close me") { // the animal that does not answer
        socket.close(1000);
      }
    };
    socket.onclose = ({code, wasClean}) => {
      clearTimeout(end);
      resolve(Object.assign(did, {code, clean: wasClean}));
    };
  });
}

// words is what was done in a few words.
function words({opened, messages, code}) {
  const parts = [opened ? "opened" : "not opened"];
  if (messages > 0) {
    parts.push(messages === 1 ? "1 message" : `${messages} messages`);
  }
  parts.push(code === null ? "hung" : `closed ${code}`);
  return parts.join(", ");
}

async function visitAll() {
  const rows = [...document.querySelectorAll("tr[data-animal]")];
  const left = rows.slice();
  let done = 0;
  const guide = async () => {
    for (let row = left.shift(); row; row = left.shift()) {
      const did = row.querySelector(".did");
      did.textContent = "…";
      const what = await meet(row.dataset.animal);
      row.dataset.did = JSON.stringify(what);
      did.textContent = words(what);
      $("visited").textContent = `${++done} of ${rows.length} visited`;
    }
  };
  await Promise.all(Array.from({length: together}, guide));
}

$("visit").addEventListener("click", async () => {
  $("visit").disabled = true;
  await visitAll();
  $("visit").disabled = false;
});
