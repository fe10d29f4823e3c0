// What went wrong, in the words of this page where the service's are meant for programs.

import { Problem } from "./problem.js";

/** The problem that any error is, of a restoration. */
export function inWords(error, { file, parameters }) {
  if (!(error instanceof Problem)) {
    return new Problem({ kind: "page", title: "This page made a mistake", detail: String(error.message ?? error) });
  }
  error.message = sentence(error, file, parameters) ?? error.message;
  return error;
}

function sentence({ kind, frames }, file, { frame }) {
  if (kind === "job-not-found") {
    return "The server no longer knows this picture, perhaps because it was restarted. Try again.";
  }
  if (kind === "unauthorized") return "This server wants an API key, which the button above takes.";
  if (kind === "invalid-request" && !file.size) return "The file is empty.";
  if (frames === undefined) return null;
  if (frame === undefined) return `This file holds ${frames || "several"} pictures; one at a time is restored.`;
  return `This file has no picture ${frame + 1} that can be restored.`;
}
