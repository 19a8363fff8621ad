// The picker: makes a URL of this server from its routes, their parameters and
// the faults, as /routes and /faults list them.

import {copy} from "/console/export.js";
import {$, confirm} from "/console/forms.js";

// bindPicker fills the picker in when it is first opened; picked is given every
// URL that it makes.
export function bindPicker(origin, picked) {
  $("picker").addEventListener("toggle", () => open(origin, picked), {once: true});
  $("copy-url").addEventListener("click", () => confirm($("copy-url"), copy($("url").value)));
}

async function open(origin, picked) {
  try {
    const [routes, faults] = await Promise.all([list("/routes"), list("/faults")]);
    new Picker(routes.filter((r) => r.kind !== "http"), faults, (path) => picked(origin + path));
  } catch (error) {
    $("route-about").textContent = `The routes could not be read: ${error.message}`;
  }
}

async function list(path) {
  const answer = await fetch(path, {headers: {Accept: "application/json"}});
  if (!answer.ok) {
    throw new Error(`${path} answers ${answer.status}`);
  }
  return answer.json();
}

class Picker {
  #routes;
  #faults;
  #picked;
  #segments = []; // fields of {…} in the path
  #own = []; // fields of the route's parameters
  #added = []; // fields of faults

  constructor(routes, faults, picked) {
    this.#routes = routes;
    this.#faults = faults;
    this.#picked = picked;
    $("route").replaceChildren(...routes.map((r) => option(r.path)));
    $("route").value = "/echo";
    $("route").addEventListener("change", () => this.#choose());
    $("fault").append(...faults.map((f) => option(f.name)));
    $("fault").addEventListener("change", () => this.#add());
    this.#choose();
  }

  // #choose shows what the route is and takes.
  #choose() {
    const route = this.#routes.find((r) => r.path === $("route").value);
    const edited = () => this.#pick();
    $("route-about").textContent = sentence(route.about);
    const names = [...route.path.matchAll(/\{(\w+)(?:\.\.\.)?\}/g)].map((m) => m[1]);
    const about = (name) => route.parameters.find((p) => p.name === name) ?? {name, accepts: "", default: "", about: ""};
    this.#segments = names.map((name) => new Field(about(name), edited));
    this.#own = route.parameters.filter((p) => !names.includes(p.name)).map((p) => new Field(p, edited));
    $("route-parameters").replaceChildren(...[...this.#segments, ...this.#own].map((f) => f.row));
    this.#pick();
    if (route.path === "/zoo/{name}") {
      suggest(this.#segments[0]).then(edited);
    }
  }

  // #add adds the fault that was chosen. Each is there once.
  #add() {
    const fault = this.#faults.find((f) => f.name === $("fault").value);
    const field = new Field(fault, () => this.#pick(), () => this.#remove(field));
    this.#added.push(field);
    this.#show();
    field.focus();
  }

  #remove(field) {
    this.#added = this.#added.filter((f) => f !== field);
    this.#show();
    $("fault").focus();
  }

  #show() {
    $("faults").replaceChildren(...this.#added.map((f) => f.row));
    for (const choice of $("fault").options) {
      choice.disabled = this.#added.some((f) => f.name === choice.value);
    }
    $("fault").value = "";
    this.#pick();
  }

  #pick() {
    let path = $("route").value;
    for (const f of this.#segments) {
      path = path.replace(new RegExp(`\\{${f.name}(\\.\\.\\.)?\\}`), encode(f.input.value || f.input.placeholder));
    }
    const query = [...this.#own, ...this.#added].map((f) => f.query).filter((q) => q !== "");
    this.#picked(path + (query.length > 0 ? `?${query.join("&")}` : ""));
  }
}

// Field is a parameter with its label: a tick for one that takes nothing, else
// text. remove is what its button does; without it there is none.
class Field {
  #bare; // its name alone means something
  #button;

  constructor(parameter, edited, remove) {
    const {name, accepts, about} = parameter;
    const nothing = accepts === "nothing"; // it is there or not
    this.name = name;
    this.#bare = remove !== undefined && /^nothing\b/.test(accepts);
    const type = !nothing ? "text" : remove ? "hidden" : "checkbox";
    this.input = element("input", {id: `parameter-${name}`, type, placeholder: parameter.default, autocomplete: "off", spellcheck: false});
    this.input.addEventListener("input", edited);
    const label = element("label", {htmlFor: this.input.id, textContent: name});
    const hint = element("small", {id: `${this.input.id}-hint`, textContent: [nothing ? "" : accepts, about].filter((s) => s !== "").join("; ")});
    this.input.setAttribute("aria-describedby", hint.id);
    this.row = element("div", {className: "parameter"});
    this.row.append(label, this.input, hint);
    if (remove) {
      this.#button = element("button", {type: "button", textContent: "×"});
      this.#button.setAttribute("aria-label", `Remove ${name}`);
      this.#button.addEventListener("click", remove);
      this.row.classList.add("removable");
      this.row.insertBefore(this.#button, hint);
    }
  }

  focus() {
    (this.input.type === "hidden" ? this.#button : this.input).focus();
  }

  // query is what it adds to the query; empty: nothing.
  get query() {
    if (this.input.type === "checkbox") {
      return this.input.checked ? this.name : "";
    }
    const value = this.input.value.trim();
    if (value !== "") {
      return `${this.name}=${encode(value)}`;
    }
    return this.#bare ? this.name : "";
  }
}

// suggest offers the animals by name.
async function suggest(field) {
  const animals = await list("/zoo");
  field.input.placeholder = animals[0].name;
  const names = element("datalist", {id: "animals"});
  names.append(...animals.map((a) => element("option", {value: a.name, label: a.does})));
  field.row.append(names);
  field.input.setAttribute("list", names.id);
}

const option = (value) => element("option", {value, textContent: value});

const element = (name, properties) => Object.assign(document.createElement(name), properties);

// encode leaves what is harmless in a query as it was typed.
const encode = (text) => encodeURIComponent(text).replace(/%(40|3A|2F|2C)/g, decodeURIComponent);

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + ".";
