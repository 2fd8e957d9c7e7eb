/** Amounts of memory in the docker client's words (docker/go-units BytesSize): `512MiB`, `1.944GiB`. */
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const DIGITS = 4;

export function bytesText(sizeBytes: number): string {
  let size = sizeBytes;
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${Number(size.toPrecision(DIGITS))}${UNITS[unit]}`;
}
