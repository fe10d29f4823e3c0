// All pictures in a row: a frame each, with its progress and its end.

import { progress, share } from "./words.js";

const MARKS = { succeeded: "✓", failed: "!", cancelled: "–" };

/** A picture's place in the strip. */
export function frame(item, { onSelect, onRemove }) {
  const place = document.createElement("li");
  place.innerHTML = `
    <button class="frame" type="button">
      <canvas width="176" height="132" hidden></canvas><span class="kind"></span>
      <progress aria-hidden="true"></progress><span class="mark" aria-hidden="true"></span>
    </button>
    <button class="remove" type="button">×</button>`;
  const [select, remove] = place.querySelectorAll("button");
  select.addEventListener("click", onSelect);
  remove.addEventListener("click", onRemove);
  remove.setAttribute("aria-label", `Remove ${item.restoration.file.name}`);
  place.querySelector(".kind").textContent = item.restoration.file.name.split(".").at(-1).toUpperCase().slice(0, 5);
  return place;
}

/** Bring a picture's place up to date. */
export function update(place, { restoration, before, after }, selected) {
  const { state, file, ended } = restoration;
  place.dataset.state = state;
  const button = place.querySelector(".frame");
  button.setAttribute("aria-current", String(selected));
  button.setAttribute("aria-label", `${file.name}: ${progress(restoration)}`);
  button.title = file.name;
  place.querySelector(".mark").textContent = MARKS[state] ?? "";
  place.querySelector(".mark").hidden = !ended;
  show(place.querySelector("progress"), restoration);
  draw(place.querySelector("canvas"), after ?? before);
}

/** Set a progress element to what is done; one that cannot know is left to breathe. */
export function show(bar, restoration) {
  const done = share(restoration);
  bar.hidden = restoration.ended;
  if (done === null) bar.removeAttribute("value");
  else bar.value = done;
}

const drawn = new WeakMap();

function draw(canvas, source) {
  if (!source || drawn.get(canvas) === source) return;
  drawn.set(canvas, source);
  const { bitmap } = source.overview;
  const scale = Math.max(canvas.width / bitmap.width, canvas.height / bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
  canvas.hidden = false;
}
