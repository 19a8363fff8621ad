// What the forms of the page have in common.

export const $ = (id) => document.getElementById(id);

// chosen is the value of a group of radio buttons.
export function chosen(name) {
  return document.querySelector(`input[name=${name}]:checked`).value;
}

// onSubmit does not let the form leave the page, which its policy forbids too.
export function onSubmit(form, action) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    action();
  });
}

// attempt says what the browser refuses at the field that it is about, until
// anything in the form is changed.
export function attempt(field, action) {
  try {
    action();
  } catch (error) {
    field.setCustomValidity(error.message);
    field.reportValidity();
    field.form.addEventListener("input", () => field.setCustomValidity(""), {once: true});
  }
}

// confirm says on a button that its copy was made, or was not.
export async function confirm(button, copied) {
  const name = (button.dataset.name ??= button.textContent);
  button.textContent = await copied.then(() => "Copied", () => "Refused");
  setTimeout(() => (button.textContent = name), 1500);
}
