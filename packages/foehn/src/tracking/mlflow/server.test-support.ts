// For tests: a server on loopback that keeps runs as MLflow's REST API does, and can fail on request: answer with an error, close the
// connection before or after it has done its work. Interop with the real MLflow is in mlflow.test.ts.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What the next request meets instead of an answer. */
export type Fault = number | "reset" | "lost-answer" | "none";

interface Run {
  readonly info: { run_id: string; run_name: string; experiment_id: string; artifact_uri: string; status: string };
  readonly tags: Record<string, string>;
  readonly params: Record<string, string>;
  readonly metrics: { key: string; value: number | string; step: number; timestamp: number }[];
}

/** Every key that a request may have; each endpoint reads its own. */
interface Body {
  readonly name: string;
  readonly source: string;
  readonly experiment_name: string;
  readonly experiment_id: string;
  readonly run_name: string;
  readonly run_id: string;
  readonly filter: string;
  readonly status: string;
  readonly metrics?: Run["metrics"];
  readonly params?: readonly { readonly key: string; readonly value: string }[];
  readonly tags?: readonly { readonly key: string; readonly value: string }[];
}

interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** Starts on a free port. `faults` are used up one per request; `down` fails all of them. */
export async function startServer() {
  const experiments: string[] = [];
  const runs: Run[] = [];
  const artifacts = new Map<string, string>();
  const models: { name: string; source: string; run_id: string }[] = [];
  const requests: string[] = [];
  const faults: Fault[] = [];
  const state = { down: false };

  const refuse = (status: number, code: string, message: string): never => {
    throw { status, code, message } satisfies Refusal;
  };
  const runOf = (id: unknown): Run =>
    runs.find((run) => run.info.run_id === id) ?? refuse(404, "RESOURCE_DOES_NOT_EXIST", "no such run");

  const endpoints: Record<string, (body: Body) => unknown> = {
    "GET experiments/get-by-name": ({ experiment_name: name }) => {
      const index = experiments.indexOf(name);
      if (index < 0) refuse(404, "RESOURCE_DOES_NOT_EXIST", `no experiment ${name}`);
      return { experiment: { experiment_id: String(index) } };
    },
    "POST experiments/search": () => ({ experiments: [] }),
    "POST experiments/create": ({ name }) => {
      if (experiments.includes(name)) refuse(400, "RESOURCE_ALREADY_EXISTS", "there is one");
      return { experiment_id: String(experiments.push(name) - 1) };
    },
    "POST runs/search": ({ filter }) => {
      const id = /foehn\.run_id" = '([^']*)'/.exec(filter)![1];
      return { runs: runs.filter((run) => run.tags["foehn.run_id"] === id) };
    },
    "POST runs/create": (body) => {
      const id = `run${runs.length}`;
      const info = {
        run_id: id,
        run_name: body.run_name,
        experiment_id: body.experiment_id,
        artifact_uri: `mlflow-artifacts:/${body.experiment_id}/${id}/artifacts`,
        status: "RUNNING",
      };
      const run: Run = { info, tags: {}, params: {}, metrics: [] };
      for (const { key, value } of body.tags ?? []) run.tags[key] = value;
      runs.push(run);
      return { run };
    },
    "POST runs/log-batch": (body) => {
      const run = runOf(body.run_id);
      if ((body.metrics?.length ?? 0) > 1000 || (body.params?.length ?? 0) > 100) {
        refuse(400, "INVALID_PARAMETER_VALUE", "too many");
      }
      if (body.metrics?.some((metric) => metric.key === "refused"))
        refuse(400, "INVALID_PARAMETER_VALUE", "bad metric");
      for (const { key, value } of body.params ?? []) {
        if ((run.params[key] ?? value) !== value) refuse(400, "INVALID_PARAMETER_VALUE", `${key} has a value`);
        run.params[key] = value;
      }
      for (const { key, value } of body.tags ?? []) run.tags[key] = value;
      for (const metric of body.metrics ?? []) {
        // As MLflow's database: the same number twice is one.
        if (!run.metrics.some((m) => JSON.stringify(m) === JSON.stringify(metric))) run.metrics.push(metric);
      }
      return {};
    },
    "POST runs/log-inputs": ({ run_id: id }) => void runOf(id),
    "POST runs/update": (body) => {
      runOf(body.run_id).info.status = body.status;
      return {};
    },
    "POST registered-models/create": ({ name }) => {
      if (models.some((model) => model.name === name)) refuse(400, "RESOURCE_ALREADY_EXISTS", "there is one");
      return {};
    },
    "GET model-versions/search": ({ filter }) => ({
      model_versions: models.filter((model) => filter === `run_id = '${model.run_id}'`),
    }),
    "POST model-versions/create": ({ name, source, run_id }) => void models.push({ name, source, run_id }),
  };

  const answer = (request: IncomingMessage, body: string): unknown => {
    const url = new URL(request.url!, "http://localhost");
    const artifact = /^\/api\/2\.0\/mlflow-artifacts\/artifacts\/(.*)$/.exec(url.pathname);
    if (artifact) return void artifacts.set(decodeURIComponent(artifact[1]!), body);
    const name = `${request.method} ${url.pathname.replace("/api/2.0/mlflow/", "")}`;
    requests.push(name);
    const query = request.method === "GET" ? Object.fromEntries(url.searchParams) : JSON.parse(body);
    return (endpoints[name] ?? (() => refuse(404, "ENDPOINT_NOT_FOUND", name)))(query as Body) ?? {};
  };

  const handle = (request: IncomingMessage, response: ServerResponse, body: string): void => {
    const fault = state.down ? 503 : faults.shift();
    if (fault === "reset") return void request.socket.destroy();
    if (typeof fault === "number") return void response.writeHead(fault, { "retry-after": "0" }).end("<p>no</p>");
    try {
      const value = JSON.stringify(answer(request, body));
      if (fault === "lost-answer") request.socket.destroy();
      else response.writeHead(200, { "content-type": "application/json" }).end(value);
    } catch (error) {
      const { status, code, message } = error as Refusal;
      response.writeHead(status).end(JSON.stringify({ error_code: code, message }));
    }
  };

  const server: Server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => handle(request, response, Buffer.concat(parts).toString()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    experiments,
    runs,
    artifacts,
    models,
    requests,
    faults,
    state,
    close: () => {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
