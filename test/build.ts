/** Before the tests: `dist` is what `src` says, so that no test of the command line or the package runs an old build. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "..");
/** Written when a build has ended; its time is when the build began. */
const STAMP = join(ROOT, "dist", ".built");

export function setup(): void {
  const began = new Date();
  if (newest(join(ROOT, "src")) < modified(STAMP)) return;
  const compiler = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  const build = spawnSync(process.execPath, [compiler, "-p", "tsconfig.build.json"], { cwd: ROOT, encoding: "utf8" });
  // Types are `npm run typecheck`'s matter; what was compiled is tested all the same.
  if (build.status !== 0) console.warn(`the build has errors:\n${build.stdout.split("\n").slice(0, 3).join("\n")}`);
  mkdirSync(join(ROOT, "dist"), { recursive: true });
  writeFileSync(STAMP, "");
  utimesSync(STAMP, began, began); // a file that was saved while the compiler ran counts as newer
}

/** Milliseconds; 0 when there is no such file. */
function modified(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function newest(folder: string): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true }).reduce(
    (latest, entry) => Math.max(latest, modified(join(entry.parentPath, entry.name))),
    0,
  );
}
