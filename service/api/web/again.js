// Asking again, where what went wrong may pass.

const PATIENCE = 20; // attempts: two minutes for a server that is away, longer for one that says when to come back
const LONGEST_S = 8;

/** Seconds to wait after so many attempts in a row; throws the problem if another would not help. */
export function secondsBeforeNext(problem, attempts) {
  if (!problem.passing || attempts >= PATIENCE) throw problem;
  return problem.retryAfter || Math.min(2 ** (attempts - 1), LONGEST_S);
}

/** Do something until it goes well; `onWait(problem, seconds)` is told of every pause between. */
export async function persist(action, signal, onWait = () => {}) {
  for (let attempts = 1; ; attempts++) {
    try {
      return await action();
    } catch (problem) {
      signal.throwIfAborted();
      const seconds = secondsBeforeNext(problem, attempts);
      onWait(problem, seconds);
      await pause(seconds, signal);
    }
  }
}

/** Resolves after so many seconds, or rejects when the signal says so. */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => (clearTimeout(timer), reject(signal.reason));
    const timer = setTimeout(() => (signal.removeEventListener("abort", stop), resolve()), seconds * 1000);
    signal.addEventListener("abort", stop, { once: true });
  });
}
