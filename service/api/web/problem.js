// What went wrong, in words.

const PASSING = new Set([429, 502, 503, 504]); // full, restarting, or behind a proxy that finds it away

/** An answer that is an error, in words (RFC 9457), or no answer at all (kind "unreachable"). */
export class Problem extends Error {
  constructor({ kind, title, detail, status = 0, retryAfter = 0, frames }) {
    super(detail);
    Object.assign(this, { kind, title, status, retryAfter, frames });
  }

  /** The problem of a job's `error` member or of an answer's body. */
  static of(body, status, retryAfter) {
    return new Problem({
      kind: body?.type?.split(":").at(-1) ?? "unknown",
      title: body?.title ?? `Error ${status}`,
      detail: body?.detail ?? `The server ${PASSING.has(status) ? "is busy or restarting" : "gave no reason"}.`,
      status: body?.status ?? status,
      retryAfter,
      frames: body?.frames, // of a file with several pictures; 0 where nobody counted them
    });
  }

  static unreachable() {
    return new Problem({
      kind: "unreachable",
      title: "The server cannot be reached",
      detail: "The picture is still here; try again once the server is back.",
    });
  }

  static unreadable() {
    return new Problem({
      kind: "unreadable",
      title: "The file cannot be read",
      detail: "It was changed or moved since it was added, or is a folder. Add it again.",
    });
  }

  /** Whether the same may be asked again with a better answer. */
  get passing() {
    return this.kind === "unreachable" || PASSING.has(this.status);
  }
}
