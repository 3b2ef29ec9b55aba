// The worker of the views "Tasks" and "Think": answers one request after the other.

import type { Row } from "lightning-m1/rl";
import { judgeResponse, makeQuestion, type QuestionChoice } from "../think/questions.ts";
import { catalogue, exampleOf, judgeAnswer, makePuzzle, type PuzzleChoice, solution } from "./puzzles.ts";

export type Request =
  | { readonly kind: "catalogue" }
  | { readonly kind: "make"; readonly choice: PuzzleChoice }
  | { readonly kind: "judge"; readonly row: Row; readonly text: string }
  | { readonly kind: "solve"; readonly row: Row }
  | { readonly kind: "question"; readonly choice: QuestionChoice }
  | { readonly kind: "judgeResponse"; readonly question: string; readonly response: string };

export interface Results {
  readonly catalogue: ReturnType<typeof catalogue>;
  readonly make: { readonly row: Row; readonly example: ReturnType<typeof exampleOf> };
  readonly judge: ReturnType<typeof judgeAnswer>;
  readonly solve: ReturnType<typeof solution>;
  readonly question: string;
  readonly judgeResponse: ReturnType<typeof judgeResponse>;
}

export type Reply = { readonly id: number } & ({ readonly value: Results[keyof Results] } | { readonly error: string });

function answer(request: Request): Results[keyof Results] {
  switch (request.kind) {
    case "catalogue":
      return catalogue();
    case "make":
      return { row: makePuzzle(request.choice), example: exampleOf(request.choice) };
    case "judge":
      return judgeAnswer(request.row, request.text);
    case "solve":
      return solution(request.row);
    case "question":
      return makeQuestion(request.choice);
    case "judgeResponse":
      return judgeResponse(request.question, request.response);
  }
}

self.addEventListener("message", ({ data }: MessageEvent<{ id: number; request: Request }>) => {
  const { id, request } = data;
  let reply: Reply;
  try {
    reply = { id, value: answer(request) };
  } catch (error) {
    reply = { id, error: error instanceof Error ? error.message : String(error) };
  }
  self.postMessage(reply);
});
