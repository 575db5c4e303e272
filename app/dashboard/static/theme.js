// Before anything is painted: the colours somebody chose here, else those of the system.
(() => {
  const kept = localStorage.getItem("perpstore-theme");
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
})();
