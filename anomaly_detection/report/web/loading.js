// Data and pictures, loaded when they are looked at.

const KEEP_IMAGES = 48; // sheets that stay decoded

const registered = new Map();
window.vadlocData = (name, content) => registered.set(name, content);
const block = (name) => document.getElementById(name);
const requested = new Map();

function data(name) {
  if (!requested.has(name)) requested.set(name, load(name));
  return requested.get(name);
}

function load(name) {
  const kept = block(`data/${name}`);
  if (kept) return Promise.resolve(JSON.parse(kept.textContent));
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `data/${name}.js`;
    script.onload = () => {
      resolve(registered.get(name));
      registered.delete(name);
      script.remove();
    };
    script.onerror = () => {
      requested.delete(name);
      reject(new Error(`${script.src} cannot be read`));
    };
    document.head.append(script);
  });
}

const addresses = new Map(); // of pictures that stand in the page itself

function pictureUrl(name) {
  const kept = block(name);
  if (!kept) return name;
  if (!addresses.has(name)) {
    const bytes = Uint8Array.from(atob(kept.textContent), (letter) => letter.charCodeAt(0));
    const type = name.endsWith(".png") ? "image/png" : "image/jpeg";
    addresses.set(name, URL.createObjectURL(new Blob([bytes], { type })));
  }
  return addresses.get(name);
}

const images = new Map(); // name -> image, the least recently used first

function image(name) {
  let found = images.get(name);
  if (found) {
    images.delete(name);
  } else {
    found = new Image();
    found.ready = new Promise((resolve) => {
      found.onload = resolve;
      found.onerror = () => {
        say(`${name} cannot be read`);
        resolve();
      };
    });
    found.src = pictureUrl(name);
  }
  images.set(name, found);
  if (images.size > KEEP_IMAGES) images.delete(images.keys().next().value);
  return found;
}

const isLoaded = (picture) => picture.complete && picture.naturalWidth > 0;

/** A tile of a sheet as the background of an element. */
function showTile(target, file, place, tile, width, onSheet) {
  const columns = Math.min(tile.columns, onSheet);
  const height = (width * tile.height) / tile.width;
  target.style.width = `${width}px`;
  target.style.height = `${height}px`;
  target.style.backgroundImage = `url("${pictureUrl(file)}")`;
  target.style.backgroundSize = `${columns * width}px auto`;
  const x = (place % columns) * width,
    y = Math.floor(place / columns) * height;
  target.style.backgroundPosition = `${-x}px ${-y}px`;
}
