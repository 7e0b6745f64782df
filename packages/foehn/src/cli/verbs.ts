// The table of verbs, in the order of `foehn --help`. A new verb is a line here and a file in commands/ that exports `define`.

import type { Verb } from "./verb.js";

/** All verbs. */
export const verbs: readonly Verb[] = [
  {
    name: "demo",
    group: "First steps",
    summary: "train, package, forecast, score and draw on a small example, in about three minutes",
    load: () => import("./commands/demo.js"),
  },
  {
    name: "doctor",
    group: "First steps",
    summary: "say what this machine has, what is missing, and what to do about it",
    load: () => import("./commands/doctor.js"),
  },
  {
    name: "dataset",
    group: "Model building",
    summary: "list, inspect, check, draw and convert data; statistics",
    load: () => import("./commands/dataset.js"),
  },
  {
    name: "model",
    group: "Model building",
    summary: "list the networks, show the settings of one, or check one of yours",
    load: () => import("./commands/model.js"),
  },
  {
    name: "train",
    group: "Model building",
    summary: "train a network on a dataset, and package it",
    load: () => import("./commands/train.js"),
  },
  {
    name: "test",
    group: "Model building",
    summary: "score a run's network on the test split, with figures",
    load: () => import("./commands/test.js"),
  },
  {
    name: "runs",
    group: "Model building",
    summary: "list, show or compare runs, or send MLflow what it missed",
    load: () => import("./commands/runs.js"),
  },
  {
    name: "package",
    group: "Packages",
    summary: "make, show, fetch, check, pin, mirror and publish packages of models",
    load: () => import("./commands/package.js"),
  },
  {
    name: "export",
    group: "Packages",
    summary: "write a package's network as an ONNX or TorchScript file",
    load: () => import("./commands/export.js"),
  },
  {
    name: "forecast",
    group: "Forecasting",
    summary: "roll a package out from given data, into Zarr, NetCDF or GRIB",
    load: () => import("./commands/forecast.js"),
  },
  {
    name: "score",
    group: "Forecasting",
    summary: "score a package's forecasts against data, beside persistence",
    load: () => import("./commands/score.js"),
  },
  {
    name: "ensemble",
    group: "Forecasting",
    summary: "run an ensemble from a configuration: perturbed members, domains, jobs",
    load: () => import("./commands/ensemble.js"),
  },
  {
    name: "score-ensemble",
    group: "Forecasting",
    summary: "score ensembles against data: CRPS, spread and skill, ranks, Brier; maps",
    load: () => import("./commands/score-ensemble.js"),
  },
  {
    name: "lagged",
    group: "Forecasting",
    summary: "score the ensembles that forecasts from neighbouring dates make",
    load: () => import("./commands/lagged.js"),
  },
  {
    name: "s2s",
    group: "Forecasting",
    summary: "terciles of sub-seasonal forecasts: edges, probabilities, RPS and RPSS",
    load: () => import("./commands/s2s.js"),
  },
  {
    name: "events",
    group: "Forecasting",
    summary: "list, show or check weather events: when ensembles start and what they keep",
    load: () => import("./commands/events.js"),
  },
  {
    name: "make-job",
    group: "Forecasting",
    summary: "make a folder that says which ensembles to run, from a protocol",
    load: () => import("./commands/make-job.js"),
  },
  {
    name: "plot",
    group: "Forecasting",
    summary: "draw training curves, scores, maps, animations and reports",
    load: () => import("./commands/plot.js"),
  },
];
