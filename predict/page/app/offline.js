const FILES = "files.json";

/**
 * Lets the service worker cache the site in its present version; where browsers or hosts do not allow it, the page works
 * online only.
 *
 * @param {() => void} onUpdated called where this page came from the cache of an older version, and the new one is there
 */
export async function cacheForOfflineUse(onUpdated) {
  if (!navigator.serviceWorker) return;
  try {
    const response = await fetch(FILES, { cache: "no-cache" });
    if (!response.ok) return;
    const { version } = await response.json();
    const { controller } = navigator.serviceWorker;
    if (controller && !controller.scriptURL.endsWith(version)) {
      navigator.serviceWorker.addEventListener("controllerchange", onUpdated, { once: true });
    }
    await navigator.serviceWorker.register(`service_worker.js?version=${version}`);
  } catch (error) {
    console.info("not cached for offline use:", error);
  }
}
