// Talking to the server. A failure says which kind it is: nobody there, or the server was started anew.

export class Unreachable extends Error {}
export class Locked extends Error {}
export class Refused extends Error {}

async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, signal: AbortSignal.timeout(20_000) });
  } catch {
    throw new Unreachable("the server does not answer");
  }
  if (response.status === 401 || response.status === 421) throw new Locked("the server was started anew");
  if (response.status >= 500) throw new Unreachable(await reason(response));
  if (response.ok) return response.json();
  const answer = response.status === 422 ? await response.clone().json().catch(() => ({})) : {};
  if (answer.refused) return answer; // record by record
  throw new Refused(await reason(response));
}

async function reason(response) {
  const text = await response.text().catch(() => "");
  try {
    const { detail } = JSON.parse(text);
    return typeof detail === "string" ? detail : JSON.stringify(detail).slice(0, 300);
  } catch {
    return text.slice(0, 300) || `the server failed (${response.status})`;
  }
}

const query = (values) => new URLSearchParams(values).toString();

export const session = (annotator) => call(`/api/session?${query({ annotator })}`);
export const tasks = (annotator, after, have, n, skipped) =>
  call(`/api/tasks?${query({ annotator, after, have: have.join(","), n, skipped })}`);
export const task = (annotator, image) => call(`/api/tasks/${image}?${query({ annotator })}`);
export const agreement = (annotator) => call(`/api/agreement?${query({ annotator })}`);
export const names = (image, noun) => call(`/api/names/${image}?${query({ noun })}`);
export const picture = (image, size) => `/pictures/${image}?size=${size}`;

// `keepalive`: what is under way is sent even if the tab is closed meanwhile (small requests only).
export function send(records) {
  const body = JSON.stringify({ records });
  const headers = { "Content-Type": "application/json" };
  return call("/api/records", { method: "POST", headers, body, keepalive: body.length < 60_000 });
}
