/** Lets so many of the given actions run at once, the others in order; each resolves to its action's result. */
export function turns(places) {
  const waiting = [];
  let free = places;

  const next = () => {
    if (free && waiting.length) {
      free--;
      waiting.shift()();
    }
  };

  return async (action, signal) => {
    await new Promise((resolve, reject) => {
      waiting.push(resolve);
      signal.addEventListener("abort", () => {
        const place = waiting.indexOf(resolve);
        if (place >= 0) waiting.splice(place, 1);
        reject(signal.reason);
      }, { once: true });
      next();
    });
    try {
      return await action();
    } finally {
      free++;
      next();
    }
  };
}
