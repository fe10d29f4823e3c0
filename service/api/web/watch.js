// A job followed to its end.

import { pause, secondsBeforeNext } from "./again.js";
import * as api from "./api.js";
import { Problem } from "./problem.js";

const ASK_EVERY_S = 2;

export const ENDED = new Set(["succeeded", "failed", "cancelled"]);

// To one job at a time: what listens keeps a connection, of which a browser has six to a server, for all its tabs.
let listening = false;

/** A job as it stands, then after changes, at last its end. A broken connection is taken up again. */
export async function* watch(id, signal) {
  for (let failures = 0; ; ) {
    try {
      for await (const job of listening ? asked(id, signal) : heard(id, signal)) {
        failures = 0;
        yield job;
        if (ENDED.has(job.state)) return;
      }
    } catch (problem) {
      signal.throwIfAborted();
      await pause(secondsBeforeNext(problem, ++failures), signal);
    }
  }
}

/** After every change. */
async function* heard(id, signal) {
  listening = true;
  try {
    yield* api.events(id, signal);
    throw Problem.unreachable(); // a stream that is not broken ends with the job
  } finally {
    listening = false;
  }
}

/** Once; it may be listened to the next time. */
async function* asked(id, signal) {
  yield await api.job(id, signal);
  await pause(ASK_EVERY_S, signal);
}
