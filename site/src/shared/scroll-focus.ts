// Tables that are wider than the page scroll sideways. The keyboard can scroll a box only if it can be focused.

const observer = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const scrolls = target.scrollWidth > target.clientWidth;
    if (scrolls === target.hasAttribute("tabindex")) continue;
    target.toggleAttribute("tabindex", scrolls);
    if (scrolls) {
      target.setAttribute("tabindex", "0");
      target.setAttribute("role", "region");
      target.setAttribute("aria-label", "Table");
    } else {
      target.removeAttribute("role");
      target.removeAttribute("aria-label");
    }
  }
});

for (const box of document.querySelectorAll(".sl-markdown-content .table-scroll")) {
  // A chart's table has a name of its own.
  if (!box.closest("m1-figure")) observer.observe(box);
}
