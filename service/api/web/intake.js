// Pictures on their way in: dropped, pasted or chosen.

import { dropped } from "./folders.js";

/** Calls `take` with the files of every drop, paste or choice. */
export function intake({ input, buttons, take }) {
  for (const button of buttons) button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = ""; // the same file can be chosen again
  });

  document.addEventListener("paste", ({ clipboardData }) => {
    const files = [...clipboardData.files];
    if (files.length) take(files);
  });

  let depth = 0; // a drag enters and leaves every element on its way
  const dragging = (on) => document.body.classList.toggle("dragging", on);
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragenter", (event) => hasFiles(event) && dragging(++depth > 0));
  document.addEventListener("dragleave", (event) => hasFiles(event) && dragging(--depth > 0));
  document.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    dragging(Boolean((depth = 0)));
    dropped(event.dataTransfer).then(take);
  });
}
