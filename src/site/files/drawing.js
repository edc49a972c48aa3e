// A box that is drawn with the pointer.

/** Begins to wait for a box on `surface`, which is shown within `container`: `corners` is a promise of two opposite points, or
 * null once `stop` is called or Escape is pressed. */
export function drawBox(surface, container) {
  const shape = document.createElement("div");
  shape.className = "drawing";
  surface.classList.add("is-drawing");
  let stop;
  const corners = new Promise((resolve) => {
    let from = null;
    const point = ({ clientX, clientY }) => {
      const { left, top } = container.getBoundingClientRect();
      return [clientX - left, clientY - top];
    };
    const listeners = {
      pointerdown(event) {
        from = point(event);
        event.preventDefault();
        surface.setPointerCapture(event.pointerId);
        container.append(shape);
      },
      pointermove(event) {
        if (!from) return;
        const to = point(event);
        shape.style.left = `${Math.min(from[0], to[0])}px`;
        shape.style.top = `${Math.min(from[1], to[1])}px`;
        shape.style.width = `${Math.abs(from[0] - to[0])}px`;
        shape.style.height = `${Math.abs(from[1] - to[1])}px`;
      },
      pointerup(event) {
        const to = from && point(event);
        const isLarge = to && Math.abs(from[0] - to[0]) > 4 && Math.abs(from[1] - to[1]) > 4;
        if (isLarge) end([from, to]);
        from = null;
      },
    };
    const escape = (event) => event.key === "Escape" && end(null);
    const end = (found) => {
      for (const [name, listener] of Object.entries(listeners)) surface.removeEventListener(name, listener);
      document.removeEventListener("keydown", escape);
      surface.classList.remove("is-drawing");
      shape.remove();
      resolve(found);
    };
    for (const [name, listener] of Object.entries(listeners)) surface.addEventListener(name, listener);
    document.addEventListener("keydown", escape);
    stop = () => end(null);
  });
  return { corners, stop };
}
