// One line for each operator that people use often. Shapes: N batch, C channels, H and W height and width, L length.
export const docs = {};
