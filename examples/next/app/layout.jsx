export const metadata = { title: "lightning-m1 in Next.js" };

export default function Layout({ children }) {
  return (
    <html lang="en" style={{ colorScheme: "light dark" }}>
      <body>{children}</body>
    </html>
  );
}
