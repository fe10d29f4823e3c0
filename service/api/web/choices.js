// What to do with the next picture: the task with its thumbnail, its variants, and the options.

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
const CLOSE_UP = new Set(["denoise", "dejpeg", "deblur", "defocus", "demosaic", "upscale"]); // seen in the detail only
const VARIANTS = {
  scale: { legend: "How much larger?", words: (value) => `${value} times` },
  pattern: { legend: "Which filters does the mosaic begin with?", words: (value) => value.toUpperCase() },
};

/** A task's name as a person says it. */
export const nameOf = (task) => WORDS[task]?.[0] ?? task;

export class Choices {
  #tasks = [];
  #models = [];
  #list;
  #variants;
  #options;

  /** @param {HTMLFieldSetElement} tasks @param {HTMLElement} variants @param {HTMLDetailsElement} options */
  constructor(tasks, variants, options, onChange) {
    this.#list = tasks.appendChild(Object.assign(document.createElement("div"), { className: "list" }));
    this.#variants = variants;
    this.#options = options;
    tasks.addEventListener("change", () => (this.#offerVariants(), this.#offerModels(), onChange()));
    variants.addEventListener("change", () => (this.#offerModels(), onChange()));
    options.addEventListener("input", () => (this.#offerQuality(), onChange()));
    options.addEventListener("toggle", () => options.open && options.scrollIntoView({ block: "nearest" }));
    this.#offerQuality();
  }

  /**
   * What this server can do.
   * @param {{task: string, scales: number[], patterns: string[]}[]} tasks
   * @param {{name: string, task: string, scale: number}[]} models
   */
  offer(tasks, models) {
    const order = Object.keys(WORDS);
    const place = ({ task }) => (order.includes(task) ? order.indexOf(task) : order.length);
    this.#tasks = [...tasks].sort((one, other) => place(one) - place(other));
    this.#models = models;
    this.#list.replaceChildren(...this.#tasks.map(card));
    this.#list.querySelector("input")?.click();
  }

  get task() {
    return this.#list.querySelector("input:checked")?.value;
  }

  /** For POST /restore: only what was chosen. */
  get parameters() {
    const wanted = { task: this.task };
    for (const { name, value } of this.#variants.querySelectorAll(":checked")) wanted[name] = value;
    for (const field of this.#options.querySelectorAll("[name]")) {
      if (!field.closest("label").hidden && field.value) wanted[field.name] = field.value;
    }
    return wanted;
  }

  /** The task's scales or patterns, where there is a choice. */
  #offerVariants() {
    const { scales, patterns } = this.#tasks.find(({ task }) => task === this.task);
    const offered = Object.entries({ scale: scales, pattern: patterns }).filter(([, values]) => values.length > 1);
    this.#variants.replaceChildren(...offered.map(([name, values]) => segments(name, values)));
    if (offered.length) this.#variants.scrollIntoView({ block: "nearest" });
  }

  /** The networks that do this at this scale, where there are several; the first entry leaves it to the server. */
  #offerModels() {
    const { scale } = this.parameters;
    const fitting = this.#models.filter((model) => model.task === this.task && (!scale || model.scale === Number(scale)));
    const field = this.#options.querySelector("[name=model]");
    field.closest("label").hidden = fitting.length < 2;
    field.replaceChildren(new Option("the usual one", ""), ...fitting.map(({ name }) => new Option(name, name)));
  }

  #offerQuality() {
    const quality = this.#options.querySelector("[name=quality]");
    const lossy = ["jpeg", "webp", "avif"].includes(this.#options.querySelector("[name=format]").value);
    quality.closest("label").hidden = !lossy;
    quality.closest("label").querySelector(".value").textContent = quality.value;
  }
}

/** A row of radio buttons, the first one chosen. */
function segments(name, values) {
  const { legend, words } = VARIANTS[name];
  const set = Object.assign(document.createElement("fieldset"), { className: "segments" });
  set.append(Object.assign(document.createElement("legend"), { textContent: legend }));
  for (const value of values) {
    const label = document.createElement("label");
    const radio = Object.assign(document.createElement("input"), { type: "radio", name, value });
    radio.checked = value === values[0];
    label.append(radio, ...(name === "pattern" ? [filters(value)] : []), words(value));
    set.append(label);
  }
  return set;
}

/** The first four filters of a mosaic as they lie: `rggb` is red and green over green and blue. */
function filters(pattern) {
  const block = Object.assign(document.createElement("span"), { className: "filters" });
  block.setAttribute("aria-hidden", "true");
  block.append(...[...pattern].map((filter) => Object.assign(document.createElement("i"), { className: filter })));
  return block;
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
  label.querySelector(".thumbnail").classList.toggle("close-up", CLOSE_UP.has(task));
  label.querySelector("b").textContent = name;
  label.querySelector("small").textContent = sentence;
  return label;
}
