/**
 * Caches the files of the site, so that it works offline after the first visit. Each version of the site has a cache of
 * its own: app/offline.js registers this file with the version in its address.
 */

const scope = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const FILES = "files.json";
const PREFIX = `ser-images ${scope.registration.scope} `;
const CACHE = PREFIX + new URL(scope.location.href).searchParams.get("version");

scope.addEventListener("install", (event) => event.waitUntil(install()));
scope.addEventListener("activate", (event) => event.waitUntil(activate()));
scope.addEventListener("fetch", (event) => {
  const { url, method } = event.request;
  if (method === "GET" && url.startsWith(scope.registration.scope)) event.respondWith(answer(event.request));
});

/** Stores all files or none; without enough space the page works online. */
async function install() {
  const response = await fetch(FILES, { cache: "no-cache" });
  const { files } = await response.clone().json();
  const cache = await caches.open(CACHE);
  const addresses = ["./", ...files].map((path) => new Request(path, { cache: "no-cache" }));
  try {
    await cache.addAll(addresses);
    await cache.put(FILES, response);
  } catch (error) {
    await caches.delete(CACHE);
    throw error;
  }
  await scope.skipWaiting();
}

async function activate() {
  const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await scope.clients.claim();
}

/**
 * The list of files comes from the network where there is one, since it tells whether there is a new version.
 *
 * @param {Request} request
 */
async function answer(request) {
  if (new URL(request.url).pathname.endsWith(`/${FILES}`)) {
    return fetch(request).catch(async () => (await cached(request)) ?? Response.error());
  }
  return (await cached(request)) ?? fetch(request);
}

/** @param {Request} request */
async function cached(request) {
  const cache = await caches.open(CACHE);
  return cache.match(request, { ignoreSearch: true });
}
