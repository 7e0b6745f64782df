// The name of the file that makes a folder a package; apart from its schema, which brings networks and strategies along.

/** Name of the file in a package. */
export const manifestName = "metadata.json";
