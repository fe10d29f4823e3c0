// One picture on its way through the service, from the file to the result: the states, and nothing of how they look.

import { persist } from "./again.js";
import * as api from "./api.js";
import { inWords } from "./faults.js";
import { Problem } from "./problem.js";
import { ENDED, watch } from "./watch.js";

/**
 * States: waiting (for others to be sent), sending, refused (the server is full or away: asked again soon), queued,
 * running, fetching, then succeeded, failed or cancelled. Dispatches "change" at every change of anything.
 */
export class Restoration extends EventTarget {
  state = "waiting";
  sent = 0; // share of the upload, 0..1
  job = null; // as the service shows it
  result = null; // Blob
  problem = null;
  pauseSeconds = 0; // between a refusal and asking again
  #stop = null;

  /**
   * @param {File} file
   * @param {Object<string, string>} parameters of POST /restore
   */
  constructor(file, parameters) {
    super();
    this.file = file;
    this.parameters = parameters;
  }

  get ended() {
    return ENDED.has(this.state);
  }

  /** Restore, once more if need be. Never throws: what goes wrong becomes the state. */
  async run(parameters, turn) {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.#change({ state: "waiting", parameters, sent: 0, job: null, result: null, problem: null });
    try {
      const job = await turn(() => this.#send(signal), signal);
      await this.#follow(job.id, signal);
      this.#change({ state: "fetching" });
      const result = await api.result(job.id, signal);
      api.forget(job.id); // the picture is here: its place on the server is free
      this.#change({ state: "succeeded", result });
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Problem)) console.error(error);
      if (this.job) api.forget(this.job.id); // nobody is going to ask for it again
      this.#change({ state: "failed", problem: inWords(error, this) });
    }
  }

  cancel() {
    if (this.ended) return;
    this.#stop?.abort();
    if (this.job) api.forget(this.job.id);
    this.#change({ state: "cancelled" });
  }

  #send(signal) {
    const idempotencyKey = unguessable(); // one for all attempts: the same picture is never done twice
    const onUpload = (share) => this.#change({ sent: share });
    const onWait = (problem, pauseSeconds) => this.#change({ state: "refused", problem, pauseSeconds });
    const attempt = async () => {
      this.#change({ state: "sending", sent: 0, problem: null });
      const job = await api.submit(this.file, this.parameters, idempotencyKey, { onUpload, signal });
      this.#stands(job);
      return job;
    };
    return persist(attempt, signal, onWait);
  }

  async #follow(id, signal) {
    for await (const job of watch(id, signal)) {
      if (job.state === "failed") throw Problem.of(job.error, 500);
      if (job.state === "cancelled") throw new Problem(CANCELLED_ELSEWHERE);
      this.#stands(job);
    }
  }

  /** A job that has ended, be it before this page heard of it, is no end here: its result is still to come. */
  #stands(job) {
    this.#change({ state: ENDED.has(job.state) ? "fetching" : job.state, job });
  }

  #change(changes) {
    Object.assign(this, changes);
    this.dispatchEvent(new Event("change"));
  }
}

const CANCELLED_ELSEWHERE = {
  kind: "cancelled",
  title: "Cancelled",
  detail: "Somebody cancelled this job on the server. Try again if it was not you.",
};

/** 128 random bits in hex; crypto.randomUUID is missing where the page does not come over HTTPS. */
function unguessable() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
