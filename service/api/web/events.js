// Server-sent events; not EventSource, which cannot send an Authorization header.

import { Problem } from "./problem.js";

/** The data of every event of an answer's body. */
export async function* eventData(body) {
  let text = "";
  try {
    for await (const piece of decoded(body)) {
      text += piece;
      const blocks = text.split(/\r?\n\r?\n/);
      text = blocks.pop();
      for (const block of blocks) {
        const data = block.split(/\r?\n/).filter((line) => line.startsWith("data:"));
        if (data.length) yield data.map((line) => line.slice(5)).join("\n");
      }
    }
  } catch (error) {
    throw error instanceof TypeError ? Problem.unreachable() : error;
  }
}

async function* decoded(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let part; !(part = await reader.read()).done; ) yield part.value;
  } finally {
    reader.cancel().catch(() => {});
  }
}
