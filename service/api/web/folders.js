// What is in a drop: files, and folders with pictures in them.

/**
 * The files of a drop, and in a folder's place the pictures in it, however deep.
 * @param {DataTransfer} transfer is read at once: it is empty after its event.
 */
export async function dropped(transfer) {
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  const found = items.map((item) => [item.webkitGetAsEntry(), item.getAsFile()]);
  return (await Promise.all(found.map(([entry, file]) => (entry?.isDirectory ? pictures(entry) : file)))).flat();
}

async function pictures(folder) {
  const entries = (await listed(folder.createReader())).sort((one, other) => one.name.localeCompare(other.name));
  const found = entries.map((entry) => (entry.isDirectory ? pictures(entry) : fileOf(entry)));
  const readable = found.map((each) => each.catch(() => []));
  return (await Promise.all(readable)).flat().filter(isPicture);
}

/** All entries: a reader gives them by the hundred. */
async function listed(reader) {
  const entries = [];
  for (let some; (some = await new Promise((...ends) => reader.readEntries(...ends))).length; ) entries.push(...some);
  return entries;
}

const fileOf = (entry) => new Promise((...ends) => entry.file(...ends));

/** By its name, which is where browsers take the type from; not all know TIFF. */
const isPicture = ({ name, type }) => !name.startsWith(".") && (type.startsWith("image/") || /\.tiff?$/i.test(name));
