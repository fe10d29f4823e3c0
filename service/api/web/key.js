// The API key, kept in this tab.

const NAME = "unseam-key";

let key = null;

export const get = () => (key ??= clean(stored()));

export function set(value) {
  key = clean(value);
  try {
    sessionStorage.setItem(NAME, key);
  } catch {
    // Storage is blocked: the key lasts as long as the page.
  }
}

function stored() {
  try {
    return sessionStorage.getItem(NAME) ?? "";
  } catch {
    return "";
  }
}

/** Without what was pasted along, seen or not, and cannot stand in a header. */
const clean = (value) => value.replace(/[^\x21-\x7e]/g, "");
