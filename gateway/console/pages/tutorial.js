// A classic script, not a module, so that WebSocketTest is a global function:
// it can be called by hand from the browser's console.
function WebSocketTest() {
  if (!("WebSocket" in window)) {
    alert("WebSocket is not supported by this browser.");
    return;
  }
  const ws = new WebSocket("ws://localhost:9998/echo");
  ws.onopen = () => {
    ws.send("This is a message");
    alert("Message is sent...");
  };
  ws.onmessage = () => {
    alert("Message is received...");
  };
  ws.onclose = () => {
    alert("Connection is closed...");
  };
}

// Bound here: the Content-Security-Policy lets no link hold a script.
document.getElementById("run").addEventListener("click", (event) => {
  event.preventDefault();
  WebSocketTest();
});
