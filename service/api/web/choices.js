// What to do with the next picture: the task with its thumbnail, and the options.

const WORDS = {
  derain: ["Remove rain", "Takes the streaks off and keeps what is behind them."],
  denoise: ["Remove noise", "Clears the grain and speckle of dim light and high ISO."],
  dejpeg: ["Repair JPEG", "Evens out the blocks and halos of strong compression."],
  deblur: ["Undo shake", "Sharpens what a moving hand or subject smeared."],
  defocus: ["Refocus", "Sharpens what lay outside the plane of focus."],
  weather: ["Clear the weather", "Sees through rain and fog, snow, and drops on the lens."],
  demosaic: ["Develop a mosaic", "Makes full colour of a sensor's raw mosaic."],
  upscale: ["Enlarge", "Two, three or four times the size, with detail to match."],
};
const PATTERN_OR_SCALE = { scale: (value) => `${value} times`, pattern: (value) => value };

/** A task's name as a person says it. */
export const nameOf = (task) => WORDS[task]?.[0] ?? task;

export class Choices {
  #tasks = [];
  #fields;
  #list;

  /** @param {HTMLFieldSetElement} fieldset @param {HTMLElement} fields the options */
  constructor(fieldset, fields, onChange) {
    this.#fields = fields;
    this.#list = fieldset.appendChild(Object.assign(document.createElement("div"), { className: "list" }));
    fieldset.addEventListener("change", () => (this.#offer(), onChange()));
    fields.addEventListener("input", () => (this.#offerQuality(), onChange()));
    this.#offerQuality();
  }

  /** @param {{task: string, models: string[], scales: number[], patterns: string[]}[]} tasks of this server */
  set tasks(tasks) {
    const order = Object.keys(WORDS);
    const place = ({ task }) => (order.includes(task) ? order.indexOf(task) : order.length);
    this.#tasks = [...tasks].sort((one, other) => place(one) - place(other));
    this.#list.replaceChildren(...this.#tasks.map(card));
    this.#list.querySelector("input")?.click();
  }

  get task() {
    return this.#list.querySelector("input:checked")?.value;
  }

  /** For POST /restore: only what was chosen. */
  get parameters() {
    const wanted = { task: this.task };
    for (const field of this.#fields.querySelectorAll("[name]")) {
      if (!field.closest("label").hidden && field.value) wanted[field.name] = field.value;
    }
    return wanted;
  }

  #offer() {
    const { models, scales, patterns } = this.#tasks.find(({ task }) => task === this.task);
    this.#fill("model", models, (name) => name);
    this.#fill("scale", scales, PATTERN_OR_SCALE.scale);
    this.#fill("pattern", patterns, PATTERN_OR_SCALE.pattern);
  }

  /** Offer values where there is a choice; the first entry leaves it to the server. */
  #fill(name, values, words) {
    const field = this.#fields.querySelector(`[name=${name}]`);
    field.closest("label").hidden = values.length < 2;
    field.replaceChildren(new Option("the usual one", ""), ...values.map((value) => new Option(words(value), value)));
  }

  #offerQuality() {
    const quality = this.#fields.querySelector("[name=quality]");
    const lossy = ["jpeg", "webp", "avif"].includes(this.#fields.querySelector("[name=format]").value);
    quality.closest("label").hidden = !lossy;
    quality.closest("label").querySelector(".value").textContent = quality.value;
  }
}

function card({ task }) {
  const [name, sentence] = WORDS[task] ?? [task, ""];
  const label = document.createElement("label");
  label.className = "task";
  label.innerHTML = `
    <input type="radio" name="task">
    <span class="thumbnail" aria-hidden="true"><img alt=""><img class="mended" alt=""></span>
    <span><b></b><small></small></span>`;
  label.querySelector("input").value = task;
  const [before, after] = label.querySelectorAll("img");
  after.src = "web/thumbnails/scene.webp";
  before.src = task in WORDS ? `web/thumbnails/${task}.webp` : after.src;
  label.querySelector("b").textContent = name;
  label.querySelector("small").textContent = sentence;
  return label;
}
