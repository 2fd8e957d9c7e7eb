/** Files that a scenario names beside itself: stack files, what secrets hold. Each is read once, when the scenario is. */

/** Gives the text of a file, or says why there is none. */
export type ReadFile = (name: string) => { readonly text: string } | { readonly problem: string };

export class ScenarioFiles {
  readonly texts = new Map<string, string>();
  readonly #readFile: ReadFile;

  constructor(readFile: ReadFile) {
    this.#readFile = readFile;
  }

  read(name: string): { readonly text: string } | { readonly problem: string } {
    const known = this.texts.get(name);
    if (known !== undefined) return { text: known };
    const found = this.#readFile(name);
    if ("text" in found) this.texts.set(name, found.text);
    return found;
  }
}
