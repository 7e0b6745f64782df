// A loop with diagnostics: after each step they are computed from its fields and appended to them, or given instead of them. Everything
// else about the loop stays: history, steps, device, data that it needs. After earth2mip's DiagnosticTimeLoop, which forgets those.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { ConfigError, ModelError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import { conversion, sameUnits } from "../../variables/units.js";
import type { OpenLoop } from "../open-loop.js";
import type { TimeLoop, TimeLoopStep } from "../time-loop.js";
import { descriptionOf } from "../time-stepper.js";
import type { Diagnostic } from "./diagnostic.js";

/** Options of `withDiagnostics`. */
export interface DiagnosticsOptions {
  /** Whether the fields of the loop come out too, before the diagnostics. Default true. */
  readonly concat?: boolean | undefined;
  /** Units of the loop's fields by name, so that they are converted to what the diagnostics take. Default: taken to fit. */
  readonly units?: Readonly<Record<string, string>> | undefined;
}

/**
 * A loop that gives diagnostics as well. They are computed in order: a later one may take what an earlier one gives. At the initial time
 * they follow from the initial condition. Loop and diagnostics are freed with it.
 * @throws ConfigError for inputs that nobody gives, names that are given twice, and units that cannot be converted
 */
export function withDiagnostics<R>(
  loop: TimeLoop<R>,
  diagnostics: readonly Diagnostic[],
  { concat = true, units = {} }: DiagnosticsOptions = {},
): OpenLoop<R> {
  const plan = planned(loop.outChannelNames, diagnostics, units);
  const names = diagnostics.flatMap((diagnostic) => diagnostic.outChannels.map((channel) => channel.name));
  return {
    ...descriptionOf(loop),
    precision: loop.precision ?? "fp32",
    notes: [...(loop.notes ?? []), ...diagnostics.map(({ description }) => `diagnostic: ${description}`)],
    outChannelNames: concat ? [...loop.outChannelNames, ...names] : names,
    async *run(time, x, restart): AsyncGenerator<TimeLoopStep<R>, void, undefined> {
      for await (const item of loop.run(time, x, restart)) {
        const { times, output } = item;
        let all: Tensor;
        try {
          all = joined(output, await computed(plan, output, times), concat);
        } finally {
          output.dispose();
        }
        yield {
          ...{ time: item.time, times, output: all },
          get restart() {
            return item.restart;
          },
        };
      }
    },
    [Symbol.dispose]() {
      for (const diagnostic of diagnostics) diagnostic[Symbol.dispose]?.();
      (loop as Partial<Disposable>)[Symbol.dispose]?.();
    },
  };
}

/** A diagnostic with where its inputs are among all fields known by then, and what converts them. */
interface Planned {
  readonly diagnostic: Diagnostic;
  readonly at: readonly number[];
  readonly factors: readonly number[];
  readonly offsets: readonly number[];
}

function planned(
  loopNames: readonly string[],
  diagnostics: readonly Diagnostic[],
  loopUnits: Readonly<Record<string, string>>,
): Planned[] {
  const known = [...loopNames];
  const units = new Map<string, string>(Object.entries(loopUnits));
  return diagnostics.map((diagnostic) => {
    const { description, inChannels, outChannels } = diagnostic;
    requireInputs(diagnostic, known);
    const conversions = inChannels.map(({ name, units: wanted }) => {
      const from = units.get(name);
      if (from === undefined || wanted === undefined || sameUnits(from, wanted)) return { factor: 1, offset: 0 };
      try {
        return conversion(from, wanted);
      } catch (error) {
        throw new ConfigError(`the ${description} takes ${name} in "${wanted}", the model gives "${from}"`, {
          cause: error,
        });
      }
    });
    const at = inChannels.map(({ name }) => known.indexOf(name));
    for (const channel of outChannels) {
      known.push(channel.name);
      units.set(channel.name, channel.units);
    }
    return {
      diagnostic,
      at,
      factors: conversions.map(({ factor }) => factor),
      offsets: conversions.map(({ offset }) => offset),
    };
  });
}

/** @throws ConfigError when a diagnostic takes what nobody gives, or gives what is there already */
export function requireInputs(
  { description, inChannels, outChannels }: Pick<Diagnostic, "description" | "inChannels" | "outChannels">,
  known: readonly string[],
): void {
  const lacking = inChannels.filter(({ name }) => !known.includes(name)).map(({ name }) => name);
  if (lacking.length > 0) {
    throw new ConfigError(`the ${description} needs ${lacking.join(", ")}, which the model does not give`, {
      hint: `${didYouMean(lacking[0]!, known)} It gives ${known.join(", ")}.`.trim(),
    });
  }
  const twice = outChannels.filter(({ name }) => known.includes(name)).map(({ name }) => name);
  if (twice.length > 0) throw new ConfigError(`the ${description} gives ${twice.join(", ")}, which is there already`);
}

/** What each diagnostic gives. The caller disposes them. */
async function computed(plan: readonly Planned[], output: Tensor, times: readonly number[]): Promise<Tensor[]> {
  const given: Tensor[] = [];
  try {
    for (const step of plan) {
      const x = torch.inferenceMode(() => torch.scope(() => inputOf(step, [output, ...given])));
      let fields: Tensor | undefined;
      try {
        fields = await step.diagnostic.apply(x, times);
        requireShape(step.diagnostic, fields, output);
      } finally {
        if (x !== fields) x.dispose();
      }
      given.push(fields);
    }
    return given;
  } catch (error) {
    for (const fields of given) fields.dispose();
    throw error;
  }
}

/** (B, inputs, Y, X) in the units of the diagnostic. Its own memory. */
function inputOf({ at, factors, offsets }: Planned, known: readonly Tensor[]): Tensor {
  const channels = at.map((index) => {
    let rest = index;
    const from = known.find((fields) => {
      if (rest < fields.size(1)) return true;
      rest -= fields.size(1);
      return false;
    });
    return from!.narrow(1, rest, 1);
  });
  const x = torch.cat(channels, { dim: 1 });
  if (factors.every((factor) => factor === 1) && offsets.every((offset) => offset === 0)) return x;
  const perChannel = (values: readonly number[]) => torch.tensor([...values], { device: x.device }).reshape([-1, 1, 1]);
  return x.mul_(perChannel(factors)).add_(perChannel(offsets));
}

function requireShape({ description, outChannels }: Diagnostic, fields: Tensor, { shape }: Tensor): void {
  const wanted = [shape[0]!, outChannels.length, ...shape.slice(2)];
  if (fields.shape.join() === wanted.join()) return;
  throw new ModelError(
    `the ${description} gave (${fields.shape.join(", ")}), its ${outChannels.length} fields are (${wanted.join(", ")})`,
  );
}

/** Fields and diagnostics along the channels, in memory of their own. Frees the diagnostics. */
function joined(output: Tensor, given: readonly Tensor[], concat: boolean): Tensor {
  const all = torch.inferenceMode(() => torch.cat(concat ? [output, ...given] : given, { dim: 1 }));
  for (const fields of given) if (fields !== all) fields.dispose();
  return all;
}
