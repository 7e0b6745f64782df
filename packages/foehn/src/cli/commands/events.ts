// foehn events: the weather events of a file, and the names of domains that Foehn knows. The work is forecast/ensemble/weather-events.ts.

import { Option } from "commander";
import { table } from "../io.js";
import type { DefineVerb } from "../verb.js";

interface Flags {
  readonly file?: string;
}

const fileOption = () => new Option("-f, --file <path>", "table of events (default: weather_events.json here)");

/** foehn events list | show | validate */
export const define: DefineVerb = (command, run) => {
  command.usage("list | show <name> | validate [file]");
  command
    .command("list")
    .description("List the events of a file, and the domains whose bounds are known by their name.")
    .addOption(fileOption())
    .action(
      run(async (console, { file }: Flags) => {
        const { existsSync } = await import("node:fs");
        const { readWeatherEvents, namedDomains, weatherEventsFile } = await import(
          "../../forecast/ensemble/weather-events.js"
        );
        const path = file ?? weatherEventsFile;
        // Without a file there are still the domains to list.
        const events = file === undefined && !existsSync(path) ? {} : readWeatherEvents(path);
        const list = Object.entries(events).map(([name, { properties, domains }]) => ({
          name,
          start_time: properties.start_time ?? null,
          initial_condition_source: properties.initial_condition_source,
          domains: domains.map((domain) => domain.name),
        }));
        const rows = [
          ["event", "start", "from", "domains"],
          ...list.map((e) => [e.name, e.start_time ?? "–", e.initial_condition_source, e.domains.join(", ")]),
        ];
        const known = Object.entries(namedDomains).map(([name, box]) => [name, `${box.lat_min} to ${box.lat_max} °N`]);
        const text = list.length === 0 ? `There is no ${path} here.` : table(rows);
        console.result(
          { events: list, named_domains: namedDomains },
          `${text}\n\nDomains that need no bounds:\n${table(known)}`,
        );
      }),
    );
  command
    .command("show")
    .description("Show one event as a configuration takes it, with everything that was left out.")
    .argument("<name>", "name of the event")
    .addOption(fileOption())
    .action(
      run(async (console, { file }: Flags, name: string) => {
        const { describeDomain, weatherEvent } = await import("../../forecast/ensemble/weather-events.js");
        const event = weatherEvent(name, file);
        const { start_time, initial_condition_source, netcdf } = event.properties;
        console.result(
          event,
          table([
            ["event", name],
            ["start", start_time ?? "not given"],
            ["from", netcdf || initial_condition_source],
            ...event.domains.map((domain) => ["domain", describeDomain(domain)]),
          ]),
        );
      }),
    );
  command
    .command("validate")
    .description("Check a file of events; every problem is listed with its place.")
    .argument("[file]", "table of events (default: weather_events.json here)")
    .action(
      run(async (console, _: Flags, file: string | undefined) => {
        const { readWeatherEvents, weatherEventsFile } = await import("../../forecast/ensemble/weather-events.js");
        const names = Object.keys(readWeatherEvents(file));
        const path = file ?? weatherEventsFile;
        console.result({ file: path, events: names }, `${path}: ${names.length} events, nothing wrong`);
      }),
    );
};
