// Numbers as text. All pages are in English, whatever the reader's locale is.

const significant = new Map<number, Intl.NumberFormat>();

/** A number with at most `digits` significant digits: 0.5, 1.28, 45,900. */
export function formatNumber(value: number, digits = 4): string {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : value < 0 ? "−∞" : "–";
  let format = significant.get(digits);
  if (!format) {
    format = new Intl.NumberFormat("en", { maximumSignificantDigits: digits });
    significant.set(digits, format);
  }
  return format.format(value).replace("-", "−");
}

/** A share as a percentage: 24%, 0.35%, <0.01%, >−0.01%. */
export function formatPercent(share: number, digits = 3): string {
  if (share !== 0 && Math.abs(share) < 1e-4) return share > 0 ? "<0.01%" : ">−0.01%";
  return `${formatNumber(100 * share, digits)}%`;
}

const integers = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function formatInteger(value: number): string {
  return integers.format(value).replace("-", "−");
}

/** A large number with a suffix: 3.41 M, 456 B. */
export function formatCount(value: number, digits = 3): string {
  const units = [
    [1e12, "T"],
    [1e9, "B"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const;
  const unit = units.find(([size]) => Math.abs(value) >= size);
  return unit ? `${formatNumber(value / unit[0], digits)} ${unit[1]}` : formatNumber(value, digits);
}

/** A number of bytes in binary units, as the guides and drivers of GPUs count: 280 MiB, 79.03 GiB. */
export function formatBytes(bytes: number, digits = 4): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  let value = bytes;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${formatNumber(value, digits)} ${units[unit]}`;
}

/** A duration: 850 ms, 1.5 s, 2 min 5 s. */
export function formatSeconds(seconds: number, digits = 3): string {
  if (seconds < 1) return `${formatNumber(seconds * 1000, digits)} ms`;
  if (seconds < 60) return `${formatNumber(seconds, digits)} s`;
  const whole = Math.round(seconds);
  return `${formatInteger(Math.floor(whole / 60))} min ${whole % 60} s`;
}
