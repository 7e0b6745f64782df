// Registers the observers that come with Foehn. Importing this file is enough; what draws is loaded when something is drawn.

import { observers } from "../../training/observer.js";
import { PredictionPlot, predictionSettings } from "./prediction.js";
import { ScoreCard, scoreCardSettings } from "./score-card.js";
import { SpatialErrorPlot, spatialErrorSettings } from "./spatial-error.js";
import { Spectra, spectraSettings } from "./spectra.js";
import { StateErrorPlot, stateErrorSettings } from "./state-error.js";

observers.register({
  name: "state_error",
  summary: "errors by variable and lead: numbers, JSON and a coloured table",
  settings: stateErrorSettings,
  everyPass: true,
  create: (pass, settings) => new StateErrorPlot(pass, settings),
});
observers.register({
  name: "spatial_error",
  summary: "map of where errors gather, one per lead",
  settings: spatialErrorSettings,
  create: (pass, settings) => new SpatialErrorPlot(pass, settings),
});
observers.register({
  name: "prediction",
  summary: "forecast beside truth on a map, per variable and lead; animations in a test",
  settings: predictionSettings,
  create: (pass, settings) => new PredictionPlot(pass, settings),
});
observers.register({
  name: "spectra",
  summary: "power spectra of forecast and truth: is fine structure kept?",
  settings: spectraSettings,
  create: (pass, settings) => new Spectra(pass, settings),
});
observers.register({
  name: "score_card",
  summary: "several scores on one page, coloured by the gain over persistence",
  settings: scoreCardSettings,
  create: (_pass, settings) => new ScoreCard(settings),
});
