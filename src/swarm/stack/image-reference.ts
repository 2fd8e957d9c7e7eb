/** Names of images as the client reads them (distribution/reference): `[host[:port]/]path[:tag][@digest]`, Docker Hub understood where no host stands. */

const DOMAIN_PART = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const DOMAIN = `(?:${DOMAIN_PART}(?:\\.${DOMAIN_PART})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const PATH_PART = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const REFERENCE = new RegExp(
  `^((?:${DOMAIN}/)?${PATH_PART}(?:/${PATH_PART})*)(?::(\\w[\\w.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$`,
);
const IDENTIFIER = /^[a-f0-9]{64}$/;
const MOST_NAME = 255;
/** Longer texts are refused unread. */
const MOST_TEXT = 1_000;
const HUB = "docker.io";

/** What the client says of a text that names no image; undefined for one that does. */
export function imageProblem(text: string): string | undefined {
  if (text === "") return "no image specified";
  if (text.length > MOST_TEXT) return "invalid reference format";
  if (IDENTIFIER.test(text)) return undefined;
  const [domain, path] = normalized(text);
  const name = path.replace(/:.*$/s, "");
  if (name !== name.toLowerCase()) return `invalid reference format: repository name (${name}) must be lowercase`;
  const found = REFERENCE.exec(`${domain}/${path}`);
  if (found === null) return "invalid reference format";
  return found[1]!.length - domain.length - 1 > MOST_NAME
    ? `repository name must not be more than ${MOST_NAME} characters`
    : undefined;
}

/** As the client sends it: without the host that is understood, with the tag that is. */
export function familiarImage(text: string): string {
  if (imageProblem(text) !== undefined || IDENTIFIER.test(text)) return text;
  const [domain, path] = normalized(text);
  const isBare = !/:[^/]*$/.test(path) && !path.includes("@");
  const full = isBare ? `${path}:latest` : path;
  return domain === HUB ? full.replace(/^library\/(?=[^/]*$)/, "") : `${domain}/${full}`;
}

function normalized(text: string): [domain: string, path: string] {
  const slash = text.indexOf("/");
  const first = slash < 0 ? "" : text.slice(0, slash);
  const isDomain = /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
  const domain = slash < 0 || !isDomain ? HUB : first === "index.docker.io" ? HUB : first;
  const path = slash < 0 || !isDomain ? text : text.slice(slash + 1);
  return [domain, domain === HUB && !path.includes("/") ? `library/${path}` : path];
}
