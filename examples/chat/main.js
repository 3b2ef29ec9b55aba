// npm run serve, and in another terminal npm run dev. Another server: http://localhost:5173/?server=http://127.0.0.1:8001/v1

import { ReasoningSplitter } from "lightning-m1";
import { RemoteModel } from "lightning-m1/remote";

const server = new URLSearchParams(location.search).get("server") ?? "http://127.0.0.1:8000/v1";
const form = document.querySelector("form");
const list = document.querySelector("ol");
const messages = [];

form.onsubmit = async (event) => {
  event.preventDefault();
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  const content = form.elements.message.value;
  addItem().append(content);
  const item = addItem();
  try {
    const question = { role: "user", content };
    const reply = await answer([...messages, question], item);
    messages.push(question, { role: "assistant", ...reply }); // the next question continues the conversation
    form.elements.message.value = "";
  } catch (error) {
    item.append(String(error));
  } finally {
    for (const button of buttons) button.disabled = false;
  }
};

// The bundled model was trained on single questions, so begin anew for each.
form.onreset = () => {
  messages.length = 0;
  list.replaceChildren();
};

let model;

/** Streams an answer into an item: the reasoning into a part that can be folded, then the text. */
async function answer(messages, item) {
  model ??= await RemoteModel.connect(server);
  const reasoning = document.createElement("details");
  reasoning.open = true;
  reasoning.innerHTML = "<summary>Thinking</summary>";
  const text = document.createElement("div");
  item.append(reasoning, text);
  const splitter = new ReasoningSplitter();
  const reply = { reasoning_content: "", content: "" };
  const show = (delta) => {
    reply.reasoning_content += delta.reasoning;
    reply.content += delta.content;
    reasoning.append(delta.reasoning);
    text.append(delta.content);
  };
  for await (const token of model.generate(messages, { temperature: 1, topP: 0.95, seed: 2 })) show(splitter.push(token.text));
  show(splitter.end());
  return reply;
}

function addItem() {
  return list.appendChild(document.createElement("li"));
}
