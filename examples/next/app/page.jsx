import { InThePage, OnTheServer } from "./ask";

export default function Page() {
  return (
    <main>
      <h1>lightning-m1 in Next.js</h1>
      <InThePage />
      <OnTheServer />
    </main>
  );
}
