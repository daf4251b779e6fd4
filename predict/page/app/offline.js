const FILES = "files.json";

/**
 * Lets the service worker cache the site in its present version; where browsers or hosts do not allow it, the page works
 * online only.
 */
export async function cacheForOfflineUse() {
  if (!navigator.serviceWorker) return;
  try {
    const response = await fetch(FILES, { cache: "no-cache" });
    if (!response.ok) return;
    const { version } = await response.json();
    await navigator.serviceWorker.register(`service_worker.js?version=${version}`);
  } catch (error) {
    console.info("not cached for offline use:", error);
  }
}
