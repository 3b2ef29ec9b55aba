"use client";

import { RemoteModel } from "lightning-m1/remote";
import { createWorkerModel } from "lightning-m1/worker";
import { useEffect, useRef, useState } from "react";

/** Asks the bundled model in a worker of the page. */
export const InThePage = () => <Ask title="In the page" load={() => createWorkerModel()} />;

/** Asks the model on the server, through app/v1/[...path]/route.js. */
export const OnTheServer = () => <Ask title="On the server" load={() => RemoteModel.connect(`${location.origin}/v1`)} />;

function Ask({ title, load }) {
  const [answer, setAnswer] = useState(null);
  const model = useRef(null);

  useEffect(() => {
    setAnswer(""); // Before, the browser itself would submit the form.
    return () => {
      model.current?.then((model) => model.dispose());
      model.current = null;
    };
  }, []);

  async function ask(event) {
    event.preventDefault();
    const content = new FormData(event.currentTarget).get("question");
    setAnswer("");
    try {
      model.current ??= load(); // with the first question
      const generation = (await model.current).generate([{ role: "user", content }], { temperature: 1, topP: 0.95, seed: 2 });
      for await (const { text } of generation) setAnswer((answer) => answer + text);
    } catch (error) {
      setAnswer(String(error));
    }
  }

  return (
    <form onSubmit={ask}>
      <h2>{title}</h2>
      <label>
        Question <input name="question" defaultValue="Compute 6 + 6 + 3 - 2 + 3" size={40} />
      </label>
      <button type="submit" disabled={answer === null}>
        Ask
      </button>
      <pre>
        <output aria-live="polite">{answer}</output>
      </pre>
    </form>
  );
}
