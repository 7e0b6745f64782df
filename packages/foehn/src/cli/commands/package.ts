// foehn package: make the package of a run, show one. What has to do with other machines is in package/.

import { formatDuration } from "../../core/time.js";
import { table } from "../io.js";
import { choiceOption, overwriteOption } from "../options.js";
import { formatBytes } from "../sizes.js";
import type { DefineVerb } from "../verb.js";
import { defineFetchVerbs } from "./package/fetch-verbs.js";
import { defineInspectVerbs } from "./package/inspect.js";
import { defineStoreVerbs, packageHelp } from "./package/store-verbs.js";

interface MakeFlags {
  readonly output: string;
  readonly checkpoint?: "best" | "last";
  readonly name?: string;
  readonly packageVersion?: string;
  readonly license?: string;
  readonly overwrite?: boolean;
}

/** foehn package make | show | inspect | verify | pull | push | list | lock | prune | mirror | sanitise */
export const define: DefineVerb = (command, run) => {
  command.usage("<verb> …");
  command
    .command("make")
    .description("Make the package of a run, with the weights of its best checkpoint.")
    .argument("<run>", "run folder")
    .requiredOption("-o, --output <folder>", "where the package goes")
    .addOption(choiceOption("--checkpoint <which>", "whose weights; default best", ["best", "last"]))
    .option("--name <name>", "name of the package (default: from the run)")
    .option("--package-version <version>", "version of the package (default: 1.0.0)")
    .option("--license <spdx>", "licence of the weights, such as CC-BY-4.0")
    .addOption(overwriteOption())
    .addHelpText(
      "after",
      "\nExample:\n  foehn package make runs/<run> --name wind-uk --package-version 1.1.0 -o wind-uk\n",
    )
    .action(
      run(async (console, flags: MakeFlags, runDir: string) => {
        const { packageRun } = await import("../../hub/package-run.js");
        const path = await packageRun(runDir, flags.output, {
          overwrite: flags.overwrite === true,
          ...(flags.checkpoint === undefined ? {} : { checkpoint: flags.checkpoint }),
          ...(flags.name === undefined ? {} : { name: flags.name }),
          ...(flags.packageVersion === undefined ? {} : { version: flags.packageVersion }),
          ...(flags.license === undefined ? {} : { license: flags.license }),
        });
        console.result({ path }, `wrote ${path}`);
      }),
    );
  command
    .command("show")
    .description("Show what a package holds: model, variables, grid, time step, how it was trained.")
    .argument("<package>", packageHelp)
    .action(
      run(async (console, _options: object, name: string) => {
        const { openPackage } = await import("../../hub/model-package.js");
        const { describeGrid } = await import("../../grid/grid.js");
        const { diagnosticFeatures, prognosticFeatures } = await import("../../datasets/features.js");
        const pkg = await openPackage(name);
        const info = await pkg.info();
        const { manifest } = pkg;
        const size = Object.values(manifest.files ?? {}).reduce((sum, file) => sum + file.size, 0);
        const names = (features: typeof info.features) => features.map((f) => `${f.name} [${f.units}]`).join(", ");
        const diagnostic = names(diagnosticFeatures(info));
        const rows: [string, string][] = [
          ["name", `${pkg.name} ${manifest.version}`],
          ["folder", pkg.path],
          ["model", `${manifest.architecture || manifest.entrypoint?.name || "code"} (${pkg.strategy})`],
          ["variables", names(prognosticFeatures(info))],
          ...(diagnostic === "" ? [] : ([["diagnostic", `${diagnostic} (output only)`]] as [string, string][])),
          ["forcings", info.forcingNames.join(", ") || "none"],
          ["static fields", info.statics.names.join(", ") || "none"],
          ["grid", describeGrid(info.grid)],
          ["time step", formatDuration(info.stepSeconds)],
          ["past states", String(pkg.numInputSteps)],
          ["files", `${Object.keys(manifest.files ?? {}).length}, ${formatBytes(size)}`],
        ];
        if (manifest.license) rows.push(["licence", manifest.license]);
        if (manifest.description) rows.push(["description", manifest.description]);
        console.result({ path: pkg.path, ...manifest }, table(rows));
      }),
    );
  defineFetchVerbs(command, run);
  defineInspectVerbs(command, run);
  defineStoreVerbs(command, run);
};
