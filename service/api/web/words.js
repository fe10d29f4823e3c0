// What the page says about a restoration.

import { nameOf } from "./choices.js";

/** Where a restoration stands, in one line. */
export function progress({ state, sent, job, problem, pauseSeconds }) {
  switch (state) {
    case "waiting":
      return "Waiting to be sent";
    case "sending":
      return sent < 1 ? `Sending, ${Math.round(sent * 100)} %` : "The server looks at it";
    case "refused":
      return `${problem.status ? "The server is busy" : problem.title}; asking again in ${seconds(pauseSeconds)}`;
    case "queued":
      return job.position ? `${counted(job.position, "picture")} before this one${left(job)}` : `Next${left(job)}`;
    case "running":
      return `${job.tiles_done} of ${counted(job.tiles_total, "tile")}${left(job)}`;
    case "fetching":
      return "Fetching the result";
    case "succeeded":
      return "Restored";
    case "failed":
      return problem.title;
    default:
      return "Cancelled";
  }
}

/** Share of the work that is done, 0..1; null while nobody knows. */
export function share({ state, sent, job }) {
  if (state === "sending" && sent < 1) return sent;
  return state === "running" && job.tiles_total ? job.tiles_done / job.tiles_total : null;
}

/** The line below a picture's name. */
export function facts({ file, parameters, job, result }, before) {
  const [width, height] = job?.result ? [job.result.width, job.result.height] : [before?.width, before?.height];
  const took = job?.started_at && job.ended_at && (new Date(job.ended_at) - new Date(job.started_at)) / 1000;
  return [
    nameOf(parameters.task),
    width && `${width.toLocaleString()} × ${height.toLocaleString()}`,
    bytes((result ?? file).size),
    took && `restored in ${seconds(took)}`,
  ].filter(Boolean).join(" · ");
}

/** The result's file name: `photo.jpg` -> `photo-derain.jpg`; of a file with several pictures, `scan-2-derain.tif`. */
export function resultName({ file, parameters, result }) {
  const kind = result.type.split("/")[1];
  const suffix = { jpeg: "jpg", tiff: "tif" }[kind] ?? kind;
  const number = parameters.frame === undefined ? "" : `-${parameters.frame + 1}`;
  return `${file.name.replace(/\.[^.]*$/, "") || "picture"}${number}-${parameters.task}.${suffix}`;
}

const left = ({ estimate_s: estimate }) => (estimate >= 1 ? `, about ${seconds(estimate)} left` : "");
const counted = (number, noun) => `${number.toLocaleString()} ${noun}${number === 1 ? "" : "s"}`;

function seconds(value) {
  if (value < 10) return `${value.toFixed(1).replace(/\.0$/, "")} s`;
  return value < 90 ? `${Math.round(value)} s` : `${Math.round(value / 60)} min`;
}

function bytes(count) {
  return count < 1e6 ? `${Math.max(1, Math.round(count / 1e3))} kB` : `${(count / 1e6).toFixed(1)} MB`;
}
