// The page: its parts, put together.

import * as api from "./api.js";
import { Choices, nameOf } from "./choices.js";
import { intake } from "./intake.js";
import * as key from "./key.js";
import { Restoration } from "./restoration.js";
import { Source } from "./source.js";
import * as strip from "./strip.js";
import { turns } from "./turns.js";
import { Viewer } from "./viewer.js";
import { facts, progress, resultName } from "./words.js";

const AT_ONCE = 2; // pictures being sent; the others wait in the page, not on the server

const SAID = {
  running: "is being restored",
  succeeded: "is restored",
  failed: "could not be restored",
  cancelled: "is cancelled",
};

const find = (id) => document.getElementById(id);
const viewer = new Viewer(find("viewer"));
const choices = new Choices(find("tasks"), find("variants"), find("options"), () => render());
const turn = turns(AT_ONCE);
const items = []; // {restoration, frame, before, after, place, address}; `frame` where it was asked for
let selected = null;

async function take(files) {
  await ready;
  const added = files.map(add);
  if (added.length) select(added[0]);
}

function add(file) {
  const item = { restoration: new Restoration(file, choices.parameters), before: null, after: null };
  item.place = strip.frame(item, { onSelect: () => select(item), onRemove: () => remove(item) });
  items.push(item);
  find("strip").querySelector("ul").append(item.place);
  item.restoration.addEventListener("change", () => changed(item));
  restore(item);
  return item;
}

async function look(item) {
  const { frame, restoration } = item;
  const preview = (blob) => api.preview(blob, frame);
  const source = await (frame ? Source.small : Source.open)(restoration.file, preview); // a browser shows the first one
  if (!items.includes(item) || item.before || item.frame !== frame) return source?.close();
  keep(item, { before: source });
  render(item);
}

/** A source, or none, that shows a picture; all of it while the picture is selected. */
function keep(item, sources) {
  Object.assign(item, sources);
  if (item !== selected) rest(item);
}

const rest = (item) => [item?.before, item?.after].forEach((source) => source?.rest());
const wake = (item) => Promise.all([item?.before?.wake(), item?.after?.wake()]);

const wanted = ({ frame }) => (frame === undefined ? choices.parameters : { ...choices.parameters, frame });

/** Restore another of the pictures that a file holds. */
function turnTo(item, frame) {
  item.before?.close();
  Object.assign(item, { before: null, frame });
  restore(item);
}

function restore(item) {
  if (!item.before) look(item); // once more too: the server may show now what it would not without a key
  item.after?.close();
  item.after = null;
  URL.revokeObjectURL(item.address);
  item.address = "";
  item.restoration.run(wanted(item), turn);
}

async function changed(item) {
  const { state, result, file, problem } = item.restoration;
  if (state !== item.said) {
    item.said = state;
    if (SAID[state]) find("status").textContent = `${file.name} ${SAID[state]}`;
    if (state === "failed" && problem.kind === "unauthorized") find("key").showModal();
  }
  if (state === "succeeded" && !item.address) {
    item.address = URL.createObjectURL(result);
    const source = await Source.open(result, api.preview);
    if (item.restoration.result !== result) return source?.close(); // restored again meanwhile
    keep(item, { after: source });
  }
  render(item);
}

function select(item) {
  const another = item !== selected;
  if (another) rest(selected);
  selected = item;
  item?.place.scrollIntoView({ block: "nearest", inline: "nearest" });
  items.forEach((each) => strip.update(each.place, each, each === selected));
  render(item, another);
  if (another) wake(item).then(() => render());
}

function remove(item) {
  item.restoration.cancel();
  const place = items.indexOf(item);
  items.splice(place, 1);
  item.place.remove();
  if (item === selected) select(items[place] ?? items[place - 1] ?? null);
  else render();
  item.before?.close(); // only now: the viewer has let go of them
  item.after?.close();
  URL.revokeObjectURL(item.address);
  (selected?.place.querySelector(".frame") ?? find("choose")).focus();
}

/** Show how things are; `item` is what changed, where only one did. */
function render(item = selected, another = false) {
  if (item) strip.update(item.place, item, item === selected);
  for (const part of ["bar", "viewer"]) find(part).hidden = !selected;
  find("empty").hidden = Boolean(selected);
  find("strip").hidden = !items.length;
  find("download-all").hidden = items.filter((each) => each.address).length < 2;
  if (selected && item === selected) renderStage(selected, another);
  if (selected) return;
  viewer.show(null, null);
  find("progress").hidden = find("fault").hidden = true;
}

function renderStage(item, another) {
  const { restoration, before, after, address } = item;
  const { state, file, ended, problem, job, parameters } = restoration;
  const focused = document.activeElement;
  find("name").textContent = file.name;
  find("facts").textContent = facts(restoration, before);
  viewer.show(before, after, { restart: another, tiles: ended ? null : tilesOf(job) });
  find("viewer").setAttribute("aria-label", `${file.name}${before && after ? ", before and after" : ""}`);

  find("progress").hidden = ended;
  setText(find("progress-words"), progress(restoration));
  strip.show(find("progress").querySelector("progress"), restoration);

  find("fault").hidden = state !== "failed";
  setText(find("fault").querySelector("h3"), problem?.title ?? "");
  setText(find("fault").querySelector("p"), problem?.message ?? "");
  find("which").hidden = problem?.frames === undefined;
  find("which").elements.number.max = problem?.frames || "";

  const other = JSON.stringify(parameters) !== JSON.stringify(wanted(item));
  find("cancel").hidden = ended;
  find("again").hidden = !ended || (state === "succeeded" && !other);
  find("again").textContent = state === "succeeded" ? `${nameOf(choices.task)} instead` : "Try again";
  find("download").hidden = !address;
  if (address) Object.assign(find("download"), { href: address, download: resultName(restoration) });
  if (focused.closest("#stage [hidden]")) find("bar").querySelector(".actions > :not([hidden])").focus();
}

const tilesOf = (job) => ({ done: job?.tiles_done ?? 0, total: job?.tiles_total ?? 1 });

/** Only if it differs: a screen reader reads what is written again. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Resolves once there is something to choose from. */
async function begin() {
  try {
    choices.offer(...(await Promise.all([api.tasks(), api.models()])));
  } catch (problem) {
    setText(find("hint-fault"), `${problem.title}. Trying again.`);
    find("hint-fault").hidden = false;
    await new Promise((resolve) => setTimeout(resolve, 3000));
    return begin();
  }
  find("hint-fault").hidden = true;
  find("choose").disabled = false;
}

const ready = begin();
intake({ input: find("files"), buttons: [find("choose"), find("add")], take });
find("cancel").addEventListener("click", () => selected.restoration.cancel());
find("again").addEventListener("click", () => restore(selected));
find("which").addEventListener("submit", (event) => {
  event.preventDefault();
  turnTo(selected, find("which").elements.number.valueAsNumber - 1);
});
find("download-all").addEventListener("click", () => {
  for (const { address, restoration } of items.filter((item) => item.address)) {
    Object.assign(document.createElement("a"), { href: address, download: resultName(restoration) }).click();
  }
});
find("open-key").addEventListener("click", () => find("key").showModal());
find("leave-key").addEventListener("click", () => find("key").close());
find("key").querySelector("form").addEventListener("submit", () => {
  key.set(find("key").querySelector("input").value);
  items.filter(({ restoration }) => restoration.problem?.kind === "unauthorized").forEach(restore);
});
addEventListener("beforeunload", (event) => {
  if (items.some(({ restoration }) => !restoration.ended)) event.preventDefault();
});
addEventListener("pagehide", () => items.forEach(({ restoration }) => restoration.cancel()));
