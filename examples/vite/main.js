// npm run dev, or npm run build && npm run preview. Vite finds the worker and the bundled model without configuration.

import { createWorkerModel } from "lightning-m1/worker";

const form = document.querySelector("form");
const output = document.querySelector("output");
const { question, stop } = form.elements;

let model;
let control = new AbortController();

form.onsubmit = async (event) => {
  event.preventDefault();
  control.abort();
  control = new AbortController();
  const { signal } = control;
  output.textContent = "";
  stop.disabled = false;
  try {
    // Loaded with the first question. The worker computes, so the page stays responsive.
    model ??= createWorkerModel(undefined, { onProgress, onWarning: console.warn });
    const messages = [{ role: "user", content: question.value }];
    for await (const { text } of (await model).generate(messages, { temperature: 1, topP: 0.95, seed: 2, signal })) {
      output.append(text);
    }
  } catch (error) {
    if (!signal.aborted) output.textContent = String(error);
  } finally {
    if (control.signal === signal) stop.disabled = true;
  }
};
stop.onclick = () => control.abort();

function onProgress({ fraction }) {
  form.querySelector("progress").value = fraction;
}
