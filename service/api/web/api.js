// The service's API as this page uses it. Addresses are relative: the service may be mounted under any path.

import { persist } from "./again.js";
import { eventData } from "./events.js";
import * as key from "./key.js";
import { Problem } from "./problem.js";

const authorization = () => (key.get() ? { Authorization: `Bearer ${key.get()}` } : {});

/** What this server can do: [{task, default, models, scales, patterns}]. */
export const tasks = async () => (await ask("tasks")).json();

/** Its networks: [{name, task, scale, pattern, ...}]. */
export const models = async () => (await ask("models")).json();

/**
 * Send a picture; resolves to its job.
 * XMLHttpRequest, because fetch does not tell how much of a body has gone.
 * @param {Object<string, string>} parameters of POST /restore
 * @param {(share: number) => void} onUpload
 */
export function submit(file, parameters, idempotencyKey, { onUpload, signal }) {
  const request = new XMLHttpRequest();
  request.open("POST", `restore?${new URLSearchParams(parameters)}`);
  const headers = { Prefer: "respond-async", "Idempotency-Key": idempotencyKey, ...authorization() };
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
  request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
  request.responseType = "json";
  return new Promise((resolve, reject) => {
    let gone = false;
    request.upload.onprogress = ({ loaded, total }) => onUpload(total ? loaded / total : 0);
    request.upload.onload = () => (gone = true);
    request.onload = () => {
      const retryAfter = Number(request.getResponseHeader("Retry-After")) || 0;
      if (request.status !== 202) reject(Problem.of(request.response, request.status, retryAfter));
      else if (signal.aborted) forget(request.response.id);
      else resolve(request.response);
    };
    // The browser has one word for a server that is away and for a file that is.
    request.onerror = async () => reject((await isReadable(file)) ? Problem.unreachable() : Problem.unreadable());
    const stop = () => {
      reject(signal.reason);
      if (!gone) request.abort(); // else the server makes a job of it, and only its answer says which to end
    };
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    else request.send(file);
  });
}

const isReadable = (file) => file.slice(0, 1).arrayBuffer().then(() => true, () => false);

/** A job as it stands. */
export const job = async (id, signal) => whole((await ask(`jobs/${id}`, { signal })).json());

/** A job as it stands, then after every change, at last its end. */
export async function* events(id, signal) {
  const answer = await ask(`jobs/${id}/events`, { signal });
  for await (const data of eventData(answer.body)) yield JSON.parse(data);
}

/** The restored picture of a job that succeeded. A broken connection is taken up again. */
export const result = (id, signal) =>
  persist(async () => whole((await ask(`jobs/${id}/result`, { signal })).blob()), signal);

/** A picture that this browser cannot show, small: {blob, width, height}, the sides of the whole. */
export async function preview(blob, frame) {
  const answer = await ask(frame === undefined ? "preview" : `preview?frame=${frame}`, { method: "POST", body: blob });
  const [width, height] = answer.headers.get("X-Picture-Size").split("x").map(Number);
  return { blob: await answer.blob(), width, height };
}

/** End a job, or delete the result of one that has ended. Outlives the page. */
export const forget = (id) => ask(`jobs/${id}`, { method: "DELETE", keepalive: true }).catch(() => {});

async function ask(address, options = {}) {
  let answer;
  try {
    answer = await fetch(address, { ...options, headers: authorization() });
  } catch {
    options.signal?.throwIfAborted();
    throw Problem.unreachable();
  }
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => null);
  throw Problem.of(body, answer.status, Number(answer.headers.get("Retry-After")) || 0);
}

/** What is read of an answer; one that breaks off is as good as none. */
const whole = (reading) =>
  reading.catch(() => {
    throw Problem.unreachable();
  });
