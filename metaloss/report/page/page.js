"use strict";
const page = JSON.parse(document.getElementById("page-data").textContent);

const options = { responsive: true, displaylogo: false, displayModeBar: false };
for (const [id, figure] of Object.entries(page.charts)) {
  Plotly.newPlot(id, figure.data, figure.layout, options);
}
// a chart that was drawn in a closed box has no width yet
for (const box of document.querySelectorAll("details")) {
  box.addEventListener("toggle", () => {
    for (const plot of box.querySelectorAll(".plot")) Plotly.Plots.resize(plot);
  });
}

const slider = document.getElementById("epoch");
if (slider) {
  const words = (epoch) => (epoch === 0 ? "before the training" : `after epoch ${epoch}`);
  const show = () => {
    const asked = page.epochs[slider.value];
    document.getElementById("epoch-shown").textContent = words(asked);
    slider.setAttribute("aria-valuetext", words(asked));
    for (const image of document.querySelectorAll("img[data-frames]")) {
      const frames = page.frames[image.dataset.frames];
      const known = Object.keys(frames).map(Number).sort((a, b) => a - b);
      const epoch = known.filter((each) => each <= asked).pop() ?? known[0];
      image.src = frames[epoch];
      image.alt = `${image.dataset.alt}, ${words(epoch)}`;
      // a run that has nothing of this epoch shows its newest before, and says so
      image.parentElement.querySelector(".when").textContent = epoch === asked ? "" : ` (${words(epoch)})`;
    }
  };
  slider.addEventListener("input", show);
  show();
}
