// What a variable is for in a dataset or a package. Roles decide what a forecast carries forward, asks its source for and writes.

/**
 * - `prognostic`: input and output; the forecast carries it from step to step
 * - `diagnostic`: output only
 * - `forcing`: input only, known at every valid time (read or computed)
 * - `static`: input only, the same at all times
 */
export type Role = "prognostic" | "diagnostic" | "forcing" | "static";

/** All roles, in the order in which listings show them. */
export const roles: readonly Role[] = ["prognostic", "diagnostic", "forcing", "static"];

/** True for a role's name. */
export function isRole(text: string): text is Role {
  return (roles as readonly string[]).includes(text);
}

/** Roles whose variables a network reads. */
export function isInput(role: Role): boolean {
  return role !== "diagnostic";
}

/** Roles whose variables a network writes. */
export function isOutput(role: Role): boolean {
  return role === "prognostic" || role === "diagnostic";
}
