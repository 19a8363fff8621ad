// The rehearsal of a drain.

export function bindDrain() {
  const form = document.getElementById("drain");
  const outcome = document.getElementById("drained");
  const button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const query = new URLSearchParams({percent: form.percent.value, over: form.over.value});
    button.disabled = true;
    try {
      const answer = await fetch(`/drain?${query}`, {method: "POST"});
      outcome.textContent = (await answer.text()).trim();
    } catch {
      outcome.textContent = "The gateway did not answer.";
    }
    button.disabled = false;
  });
}
