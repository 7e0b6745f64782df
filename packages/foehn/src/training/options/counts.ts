// Numbers of things, as the options' schemas write them.

import { z } from "zod";

/** A whole number of at least 1. */
export const count = () => z.int().positive();

/** The same, or null (the default) for "as it comes". */
export const optionalCount = () => count().nullable().default(null);
